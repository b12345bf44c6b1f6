//! Lanes cut to the region that a protocol or a network covers.

use super::{Centreline, LaneFrame};

/// Shorter pieces are left out: what only touches the region's edge, metres.
const SHORTEST_M: f64 = 1.0;

/// What is left of a lane.
struct Piece {
    points_m: Vec<[f64; 3]>,
    lane: usize,
    /// The lane's own first point, or last, is in it.
    whole_start: bool,
    whole_end: bool,
}

impl LaneFrame {
    /// What lies within so many metres of the ego frame's origin along x and along y, either way. A lane that leaves
    /// the region and comes back becomes two. Lanes lead into each other where their ends are within.
    pub fn within(&self, half_m: [f64; 2]) -> Self {
        let lanes = self.lanes.iter().enumerate();
        let pieces: Vec<Piece> =
            lanes.flat_map(|(lane, line)| pieces(lane, &line.points_m, half_m)).collect();
        let confidence = |piece: &Piece| self.lanes[piece.lane].confidence;
        let leads = |from: &Piece, to: &Piece| match from.whole_end && to.whole_start {
            true => self.lane_lane[from.lane][to.lane],
            false => 0.0,
        };
        let row = |from: &Piece| pieces.iter().map(|to| leads(from, to)).collect();
        Self {
            lane_lane: pieces.iter().map(row).collect(),
            lane_element: pieces.iter().map(|p| self.lane_element[p.lane].clone()).collect(),
            elements: self.elements.clone(),
            lanes: pieces
                .iter()
                .map(|p| Centreline { points_m: p.points_m.clone(), confidence: confidence(p) })
                .collect(),
        }
    }
}

fn pieces(lane: usize, points_m: &[[f64; 3]], half_m: [f64; 2]) -> Vec<Piece> {
    let last = points_m.len().saturating_sub(2);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open = false;
    for (index, pair) in points_m.windows(2).enumerate() {
        let Some([enter, leave]) = inside(pair[0], pair[1], half_m) else {
            open = false;
            continue;
        };
        let at = |share: f64| {
            [0, 1, 2].map(|axis| pair[0][axis] + share * (pair[1][axis] - pair[0][axis]))
        };
        if !open || enter > 0.0 {
            let whole_start = index == 0 && enter == 0.0;
            pieces.push(Piece { points_m: vec![at(enter)], lane, whole_start, whole_end: false });
        }
        let piece = pieces.last_mut().expect("one was begun");
        piece.points_m.push(at(leave));
        piece.whole_end = index == last && leave == 1.0;
        open = leave == 1.0;
    }
    pieces.retain(|piece| length_m(&piece.points_m) >= SHORTEST_M);
    pieces
}

/// Shares of a stretch between which it lies within (Liang & Barsky 1984).
fn inside(from: [f64; 3], to: [f64; 3], half_m: [f64; 2]) -> Option<[f64; 2]> {
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for axis in 0..2 {
        let along = to[axis] - from[axis];
        for (toward, room) in
            [(-along, half_m[axis] + from[axis]), (along, half_m[axis] - from[axis])]
        {
            if toward == 0.0 && room < 0.0 {
                return None;
            }
            if toward < 0.0 {
                enter = enter.max(room / toward);
            } else if toward > 0.0 {
                leave = leave.min(room / toward);
            }
        }
    }
    (enter < leave).then_some([enter, leave])
}

fn length_m(points_m: &[[f64; 3]]) -> f64 {
    let stretch = |pair: &[[f64; 3]]| {
        let sum: f64 = (0..3).map(|axis| (pair[1][axis] - pair[0][axis]).powi(2)).sum();
        sum.sqrt()
    };
    points_m.windows(2).map(stretch).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(lanes: &[&[[f64; 3]]], leads: &[[usize; 2]]) -> LaneFrame {
        let mut lane_lane = vec![vec![0.0; lanes.len()]; lanes.len()];
        leads.iter().for_each(|[from, to]| lane_lane[*from][*to] = 0.5);
        let line = |points: &&[[f64; 3]]| Centreline { points_m: points.to_vec(), confidence: 0.7 };
        LaneFrame {
            lanes: lanes.iter().map(line).collect(),
            elements: Vec::new(),
            lane_lane,
            lane_element: vec![Vec::new(); lanes.len()],
        }
    }

    fn check(points: &[[f64; 3]], expected: &[&[[f64; 3]]]) {
        let cut = frame(&[points], &[]).within([10.0, 5.0]);
        let found: Vec<&[[f64; 3]]> = cut.lanes.iter().map(|lane| &lane.points_m[..]).collect();
        assert_eq!(found, expected, "{points:?}");
        assert!(cut.lanes.iter().all(|lane| lane.confidence == 0.7));
    }

    #[test]
    fn lanes_are_cut_at_the_edge() {
        check(&[[-20.0, 0.0, 0.0], [20.0, 0.0, 4.0]], &[&[[-10.0, 0.0, 1.0], [10.0, 0.0, 3.0]]]);
        check(&[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], &[&[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]]);
        check(&[[20.0, 0.0, 0.0], [30.0, 0.0, 0.0]], &[]);
        check(&[[-20.0, 6.0, 0.0], [20.0, 6.0, 0.0]], &[]);
        // Touches a corner with less than a metre.
        check(&[[9.8, 6.0, 0.0], [11.0, 4.8, 0.0]], &[]);
        // Out and back.
        check(
            &[[0.0, 4.0, 0.0], [0.0, 8.0, 0.0], [4.0, 8.0, 0.0], [4.0, 2.0, 0.0]],
            &[&[[0.0, 4.0, 0.0], [0.0, 5.0, 0.0]], &[[4.0, 5.0, 0.0], [4.0, 2.0, 0.0]]],
        );
    }

    #[test]
    fn lanes_lead_on_where_their_ends_are_within() {
        let a: &[[f64; 3]] = &[[-30.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
        let b: &[[f64; 3]] = &[[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]];
        let c: &[[f64; 3]] = &[[30.0, 0.0, 0.0], [8.0, 3.0, 0.0]];
        let cut = frame(&[a, b, c], &[[0, 1], [1, 2]]).within([10.0, 5.0]);
        assert_eq!(cut.lane_lane, [[0.0, 0.5, 0.0], [0.0; 3], [0.0; 3]]);
    }

    #[test]
    fn what_is_within_stays_as_it_is() {
        let line: &[[f64; 3]] = &[[-3.0, 1.0, 0.0], [0.0, 1.5, 0.1], [6.0, 2.0, 0.2]];
        let whole = frame(&[line, line], &[[0, 1]]);
        assert_eq!(whole.within([10.0, 5.0]), whole);
    }
}
