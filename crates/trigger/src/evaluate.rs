//! Evaluation, a frame at a time.
//!
//! What is not known stays unknown through numbers and comparisons; `and` and `or` are Kleene's. Every part is
//! evaluated at every frame, so that its memory does not depend on what stands beside it and its cost is the same.

use ommatidia_geometry::Timestamp;

use crate::{
    Trigger,
    expression::{Arithmetic, Compare, Node, Over, Past},
    signals::{FRAME_SIGNALS, OBJECT_SIGNALS, ObjectSignals, Signals, Value},
};

/// What a trigger remembers from frame to frame.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    slots: Vec<Slot>,
    last: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Slot {
    /// Since when it has been true at every frame.
    since: Option<Timestamp>,
    /// When it was true last.
    last: Option<Timestamp>,
    /// At the frame before.
    before: Option<bool>,
}

impl Trigger {
    /// Before the first frame.
    pub fn start(&self) -> State {
        State { slots: vec![Slot::default(); self.slots], last: None }
    }

    /// Whether it is true of the next frame; `None` where that is not known. A frame that is not later than the
    /// last one starts anew: memories of another drive mean nothing.
    ///
    /// # Panics
    /// If the state is another trigger's.
    pub fn step(&self, state: &mut State, at: Timestamp, signals: &Signals) -> Option<bool> {
        assert_eq!(state.slots.len(), self.slots, "the state of this trigger");
        if state.last.is_some_and(|last| at <= last) {
            *state = self.start();
        }
        state.last = Some(at);
        let mut frame = Frame { at, signals, slots: &mut state.slots };
        frame.bool(&self.root, None)
    }
}

struct Frame<'a> {
    at: Timestamp,
    signals: &'a Signals,
    slots: &'a mut [Slot],
}

impl Frame<'_> {
    fn bool(&mut self, node: &Node, object: Option<&ObjectSignals>) -> Option<bool> {
        match self.value(node, object)? {
            Value::Bool(value) => Some(value),
            other => unreachable!("the parser saw to it: {other:?} is no truth"),
        }
    }

    fn number(&mut self, node: &Node, object: Option<&ObjectSignals>) -> Option<f64> {
        match self.value(node, object)? {
            Value::Number(value) => Some(value),
            other => unreachable!("the parser saw to it: {other:?} is no number"),
        }
    }

    fn value(&mut self, node: &Node, object: Option<&ObjectSignals>) -> Option<Value> {
        Some(match node {
            Node::Number(value) => Value::Number(*value),
            Node::Bool(value) => Value::Bool(*value),
            Node::Class(class) => Value::Class(*class),
            Node::Frame(place) => return (FRAME_SIGNALS[*place].read)(self.signals),
            Node::Object(place) => {
                return (OBJECT_SIGNALS[*place].read)(object.expect("the parser saw to it"));
            }
            Node::Not(part) => Value::Bool(!self.bool(part, object)?),
            Node::And(pair) => {
                let [a, b] = [&pair[0], &pair[1]].map(|part| self.bool(part, object));
                Value::Bool(kleene(false, a, b)?)
            }
            Node::Or(pair) => {
                let [a, b] = [&pair[0], &pair[1]].map(|part| self.bool(part, object));
                Value::Bool(kleene(true, a, b)?)
            }
            Node::Negative(part) => Value::Number(-self.number(part, object)?),
            Node::Absolute(part) => Value::Number(self.number(part, object)?.abs()),
            Node::Arithmetic(how, pair) => {
                let [a, b] = [&pair[0], &pair[1]].map(|part| self.number(part, object));
                Value::Number(compute(*how, a?, b?)?)
            }
            Node::Compare(how, pair) => {
                let [a, b] = [&pair[0], &pair[1]].map(|part| self.value(part, object));
                Value::Bool(compare(*how, a?, b?))
            }
            Node::Objects(over, condition) => return self.over(over, condition.as_deref()),
            Node::Past(past, part, slot) => {
                let now = self.bool(part, object);
                return self.slots[*slot].step(*past, self.at, now).map(Value::Bool);
            }
        })
    }

    /// Objects of which the condition is not known do not count as such of which it holds.
    fn over(&mut self, over: &Over, condition: Option<&Node>) -> Option<Value> {
        let signals = self.signals;
        let mut count = 0;
        let mut best: Option<f64> = None;
        for object in signals.objects.as_ref()?.iter().take(crate::MAX_OBJECTS) {
            let held = condition.is_none_or(|node| self.bool(node, Some(object)) == Some(true));
            if !held {
                continue;
            }
            count += 1;
            match over {
                Over::Least(value) => {
                    best =
                        self.number(value, Some(object)).into_iter().chain(best).reduce(f64::min);
                }
                Over::Most(value) => {
                    best =
                        self.number(value, Some(object)).into_iter().chain(best).reduce(f64::max);
                }
                Over::Count | Over::Any => {}
            }
        }
        match over {
            Over::Count => Some(Value::Number(f64::from(count))),
            Over::Any => Some(Value::Bool(count > 0)),
            Over::Least(_) | Over::Most(_) => best.map(Value::Number),
        }
    }
}

impl Slot {
    fn step(&mut self, past: Past, at: Timestamp, now: Option<bool>) -> Option<bool> {
        let before = std::mem::replace(&mut self.before, now);
        if now == Some(true) {
            self.since.get_or_insert(at);
            self.last = Some(at);
        } else {
            self.since = None;
        }
        let ago = |then: Timestamp| (at - then).as_secs_f64();
        match past {
            Past::Held(time_s) => match now {
                Some(true) => Some(self.since.is_some_and(|since| ago(since) >= time_s)),
                other => other,
            },
            Past::Lately(time_s) => match self.last {
                Some(last) if ago(last) <= time_s => Some(true),
                _ => now,
            },
            Past::Rose => Some(now? && !before?),
        }
    }
}

/// `decides` or `decides`, known even where the other side is not.
fn kleene(decides: bool, a: Option<bool>, b: Option<bool>) -> Option<bool> {
    if a == Some(decides) || b == Some(decides) {
        return Some(decides);
    }
    a.and(b)
}

/// `None` where the result is no finite number.
fn compute(how: Arithmetic, a: f64, b: f64) -> Option<f64> {
    let value = match how {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
    };
    value.is_finite().then_some(value)
}

fn compare(how: Compare, a: Value, b: Value) -> bool {
    match (how, a, b) {
        (Compare::Equal, a, b) => a == b,
        (Compare::Other, a, b) => a != b,
        (Compare::Less, Value::Number(a), Value::Number(b)) => a < b,
        (Compare::AtMost, Value::Number(a), Value::Number(b)) => a <= b,
        (Compare::More, Value::Number(a), Value::Number(b)) => a > b,
        (Compare::AtLeast, Value::Number(a), Value::Number(b)) => a >= b,
        (how, a, b) => unreachable!("the parser saw to it: {a:?} {how:?} {b:?}"),
    }
}
