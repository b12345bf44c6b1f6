//! Which data make the next sample.

use super::Random;

/// Draws samples of distinct data.
pub trait Sampler {
    /// Fills `sample` with distinct indices below `count`. `false` if that is impossible.
    fn draw(&mut self, random: &mut Random, count: usize, sample: &mut [usize]) -> bool;
}

/// All samples are equally likely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uniform;

impl Sampler for Uniform {
    fn draw(&mut self, random: &mut Random, count: usize, sample: &mut [usize]) -> bool {
        draw_distinct(random, count, sample)
    }
}

/// Rejection is quick, as samples are far smaller than the data; small data end in the last branch.
fn draw_distinct(random: &mut Random, count: usize, sample: &mut [usize]) -> bool {
    if sample.len() > count {
        return false;
    }
    for i in 0..sample.len() {
        let (drawn, rest) = sample.split_at_mut(i);
        // Floyd's algorithm: uniform over subsets, one draw for each member.
        let top = count - rest.len();
        let candidate = random.below(top + 1);
        rest[0] = if drawn.contains(&candidate) { top } else { candidate };
    }
    true
}

/// For data sorted from the best to the worst: samples from a head of the data that grows until it
/// covers them all. Chum & Matas, *Matching with PROSAC*, 2005.
#[derive(Debug, Clone, PartialEq)]
pub struct Prosac {
    /// Draws after which PROSAC is as RANSAC.
    uniform_after: usize,
    drawn: usize,
    /// Size of the head, n.
    head: usize,
    /// T_n and T'_n.
    average: f64,
    schedule: usize,
}

impl Prosac {
    /// The paper takes 200 000 draws until the head covers all data.
    pub fn new(uniform_after: usize) -> Self {
        Self { uniform_after, drawn: 0, head: 0, average: 0.0, schedule: 0 }
    }

    fn start(&mut self, count: usize, size: usize) {
        self.head = size;
        // Eq. (3) for n = m.
        let product: f64 = (0..size).map(|i| (size - i) as f64 / (count - i) as f64).product();
        self.average = self.uniform_after as f64 * product;
        self.schedule = 1;
    }
}

impl Sampler for Prosac {
    fn draw(&mut self, random: &mut Random, count: usize, sample: &mut [usize]) -> bool {
        let size = sample.len();
        if size > count || size == 0 {
            return false;
        }
        if self.head == 0 {
            self.start(count, size);
        }
        self.drawn += 1;
        while self.drawn > self.schedule && self.head < count {
            // Eq. (4), (5).
            let next = self.average * (self.head + 1) as f64 / (self.head + 1 - size) as f64;
            self.schedule += ((next - self.average).ceil() as usize).max(1);
            (self.average, self.head) = (next, self.head + 1);
        }
        if self.drawn > self.schedule {
            return draw_distinct(random, count, sample);
        }
        sample[size - 1] = self.head - 1;
        draw_distinct(random, self.head - 1, &mut sample[..size - 1])
    }
}

/// All members of a sample come from one group, such as one camera of a rig; a group is as likely as
/// it is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped {
    members: Vec<Vec<usize>>,
}

impl Grouped {
    /// `groups`: the group of each datum, any small numbers.
    pub fn new(groups: impl IntoIterator<Item = usize>) -> Self {
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (i, group) in groups.into_iter().enumerate() {
            if members.len() <= group {
                members.resize(group + 1, Vec::new());
            }
            members[group].push(i);
        }
        Self { members }
    }
}

impl Sampler for Grouped {
    fn draw(&mut self, random: &mut Random, count: usize, sample: &mut [usize]) -> bool {
        let large = |m: &&Vec<usize>| m.len() >= sample.len();
        let total: usize = self.members.iter().filter(large).map(Vec::len).sum();
        let mut place = random.below(total);
        for members in self.members.iter().filter(large) {
            if place < members.len() {
                let drawn = draw_distinct(random, members.len(), sample);
                sample.iter_mut().for_each(|i| *i = members[*i]);
                return drawn && sample.iter().all(|&i| i < count);
            }
            place -= members.len();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_distinct(sample: &[usize], count: usize) {
        for (i, a) in sample.iter().enumerate() {
            assert!(*a < count && !sample[..i].contains(a), "{sample:?} of {count}");
        }
    }

    #[test]
    fn uniform_draws_every_subset_alike() {
        let mut random = Random::new(3);
        let mut counts = [0_u32; 32];
        for _ in 0..100_000 {
            let mut sample = [0; 2];
            assert!(Uniform.draw(&mut random, 5, &mut sample));
            check_distinct(&sample, 5);
            counts[(1 << sample[0]) | (1 << sample[1])] += 1;
        }
        let drawn: Vec<u32> = counts.into_iter().filter(|&c| c > 0).collect();
        assert_eq!(drawn.len(), 10);
        assert!(drawn.iter().all(|c| (9_500..10_500).contains(c)), "{drawn:?}");
    }

    #[test]
    fn too_few_data_are_refused() {
        let mut random = Random::new(4);
        assert!(Uniform.draw(&mut random, 3, &mut [0; 3]));
        assert!(!Uniform.draw(&mut random, 2, &mut [0; 3]));
        assert!(!Prosac::new(100).draw(&mut random, 2, &mut [0; 3]));
        assert!(!Grouped::new([0, 0, 1, 1]).draw(&mut random, 4, &mut [0; 3]));
    }

    #[test]
    fn prosac_starts_with_the_best_and_ends_uniform() {
        let mut random = Random::new(5);
        let mut prosac = Prosac::new(1_000);
        let mut sample = [0; 4];
        assert!(prosac.draw(&mut random, 100, &mut sample));
        sample.sort_unstable();
        assert_eq!(sample, [0, 1, 2, 3]);
        let mut mean = |draws: usize| -> f64 {
            let sum: usize = (0..draws)
                .map(|_| {
                    assert!(prosac.draw(&mut random, 100, &mut sample));
                    check_distinct(&sample, 100);
                    sample.iter().sum::<usize>()
                })
                .sum();
            sum as f64 / (4 * draws) as f64
        };
        let early = mean(50);
        mean(2_000);
        let late = mean(5_000);
        assert!(early < 25.0 && (late - 49.5).abs() < 1.5, "{early} {late}");
    }

    #[test]
    fn grouped_samples_stay_in_their_group() {
        let mut random = Random::new(6);
        let groups: Vec<usize> = (0..30).map(|i| if i == 29 { 3 } else { i % 3 }).collect();
        let mut sampler = Grouped::new(groups.iter().copied());
        let mut sample = [0; 3];
        for _ in 0..1_000 {
            assert!(sampler.draw(&mut random, 30, &mut sample));
            check_distinct(&sample, 30);
            assert!(sample.iter().all(|&i| groups[i] == groups[sample[0]] && i != 29));
        }
    }
}
