//! What happens next, for millions of vehicles: a ring of minutes, each with the vehicles that are due in
//! it (Brown 1988, "Calendar queues"). A vehicle stands in it exactly once, so that a link per vehicle is
//! all the memory it takes.

/// Minutes in a round; no event lies further ahead.
pub(super) const ROUND_MINUTES: usize = 30_000;
const NONE: u32 = u32::MAX;

pub(super) struct Calendar {
    now: usize,
    heads: Vec<u32>,
    next: Vec<u32>,
}

impl Calendar {
    pub(super) fn new(vehicles: u32) -> Self {
        Self { now: 0, heads: vec![NONE; ROUND_MINUTES], next: vec![NONE; vehicles as usize] }
    }

    /// Puts a vehicle `ahead` minutes from now, at least one and less than a round.
    pub(super) fn schedule(&mut self, vehicle: u32, ahead: usize) {
        let head = &mut self.heads[(self.now + ahead.clamp(1, ROUND_MINUTES - 1)) % ROUND_MINUTES];
        self.next[vehicle as usize] = *head;
        *head = vehicle;
    }

    /// Goes on by a minute and takes out whoever is due, by number.
    pub(super) fn advance(&mut self, due: &mut Vec<u32>) {
        self.now = (self.now + 1) % ROUND_MINUTES;
        due.clear();
        let mut vehicle = std::mem::replace(&mut self.heads[self.now], NONE);
        while vehicle != NONE {
            due.push(vehicle);
            vehicle = self.next[vehicle as usize];
        }
        due.sort_unstable();
    }
}
