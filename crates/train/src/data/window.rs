//! How samples are cut from clips.

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_model::NetworkConfig;

use crate::TrainConfig;

/// How samples are cut from clips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Moments of a sample, the last one being asked about.
    pub moments: usize,
    /// How far they are apart.
    pub spacing: Spacing,
}

/// How far the moments of a sample are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spacing {
    /// So many frames.
    Frames(usize),
    /// As a memory keeps them: so many seconds, or so many metres travelled, whichever is first.
    Memory {
        /// Seconds.
        s: f64,
        /// Metres.
        m: f64,
    },
}

/// When a frame was, and where the vehicle then was, if that is known.
pub(super) type Place = (Timestamp, Option<Pose<World, Ego>>);

impl Window {
    /// One moment alone.
    pub const SINGLE: Self = Self { moments: 1, spacing: Spacing::Frames(1) };

    /// As a configuration asks; a memory that is never shown a past, and a past that nobody looks at, are
    /// refused.
    ///
    /// # Errors
    /// Names the setting and what would fit.
    pub fn of(config: &TrainConfig<NetworkConfig>) -> Result<Self, String> {
        let memory = config.network.space.as_ref().and_then(|space| space.memory.as_ref());
        let (moments, stride) = (config.data.moments, config.data.stride);
        let spacing = match (memory, moments, stride) {
            (Some(_), 1, _) => {
                return Err("network.space.memory learns from data.moments of 2 or more; it is 1"
                    .to_owned());
            }
            (None, 2.., _) => {
                return Err(format!(
                    "data.moments is {moments}, and without network.space.memory nothing reads the past; \
                     give it a memory, or set 1"
                ));
            }
            (Some(memory), _, 0) => Spacing::Memory { s: memory.spacing_s, m: memory.spacing_m },
            (None, _, 0) => {
                return Err("data.stride is 0, which leaves it to network.space.memory; there is none, give 1 or more".to_owned());
            }
            _ => Spacing::Frames(stride),
        };
        Ok(Self { moments, spacing })
    }

    /// The frames of each sample, oldest first: of every frame with enough others before it if they must be
    /// `whole`, of every frame otherwise.
    pub(super) fn cut(&self, frames: &[Place], whole: bool) -> Vec<Vec<usize>> {
        let of = |asked: usize| {
            let mut chosen = vec![asked];
            while chosen.len() < self.moments {
                let last = chosen[chosen.len() - 1];
                let far = |&from: &usize| self.spacing.is_between(frames, from, last);
                let Some(before) = (0..last).rev().find(far) else { break };
                chosen.push(before);
            }
            chosen.reverse();
            chosen
        };
        let windows = (0..frames.len()).map(of);
        windows.filter(|window| !whole || window.len() == self.moments).collect()
    }
}

impl Spacing {
    /// Whether two frames are far enough apart.
    fn is_between(self, frames: &[Place], from: usize, to: usize) -> bool {
        match self {
            Self::Frames(count) => to - from >= count,
            Self::Memory { s, m } => {
                let ((earlier, start), (later, end)) = (frames[from], frames[to]);
                let places = start.zip(end).map(|(start, end)| end.translation - start.translation);
                (later - earlier).as_secs_f64() >= s || places.is_some_and(|way| way.norm() >= m)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames 0.1 s apart; the vehicle stands for five of them and then drives 1 m a frame.
    fn frames(poses: bool) -> Vec<Place> {
        let place = |i: usize| {
            let mut pose = Pose::<World, Ego>::identity();
            pose.translation.x = i.saturating_sub(5) as f64;
            (Timestamp::from_secs_f64(0.1 * i as f64), poses.then_some(pose))
        };
        (0..10).map(place).collect()
    }

    #[test]
    fn windows_are_spaced_as_asked() {
        let check = |spacing, poses, expected: &[&[usize]]| {
            let found = Window { moments: 3, spacing }.cut(&frames(poses), true);
            assert_eq!(found, expected, "{spacing:?}");
        };
        let memory = Spacing::Memory { s: 0.35, m: 2.0 };
        check(Spacing::Frames(4), true, &[&[0, 4, 8], &[1, 5, 9]]);
        // Seconds alone where nobody knows the way; then the way, which is sooner.
        check(memory, false, &[&[0, 4, 8], &[1, 5, 9]]);
        check(memory, true, &[&[1, 5, 7], &[2, 6, 8], &[5, 7, 9]]);
    }

    #[test]
    fn first_frames_have_shorter_windows_where_every_frame_is_asked_about() {
        let window = Window { moments: 2, spacing: Spacing::Frames(9) };
        let found = window.cut(&frames(true), false);
        assert_eq!(found.len(), 10);
        assert_eq!((&found[0], &found[9]), (&vec![0], &vec![0, 9]));
        assert_eq!(Window::SINGLE.cut(&frames(true), true).len(), 10);
    }
}
