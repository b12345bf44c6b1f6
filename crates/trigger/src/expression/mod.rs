//! Expressions: read, checked and measured before anything is evaluated.

mod parse;
mod tokens;

use ommatidia_scene::{ClassId, Taxonomy};

use crate::Error;

/// Longest expression, bytes.
pub const MAX_TEXT: usize = 4096;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// Most parts of an expression.
pub const MAX_NODES: usize = 256;
/// Most parts that one frame evaluates, those within `count` and its like once an object.
pub const MAX_COST: usize = 16_384;

/// A checked expression that is true or false of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    pub(crate) text: String,
    pub(crate) root: Node,
    /// Memories that it needs.
    pub(crate) slots: usize,
    pub(crate) cost: usize,
}

impl Trigger {
    /// Reads and checks an expression; classes are the taxonomy's.
    ///
    /// # Errors
    /// [`Error::Expression`] names the column, what is wrong and what would be right.
    pub fn parse(text: &str, taxonomy: &Taxonomy) -> Result<Self, Error> {
        parse::parse(text, taxonomy)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parts that a frame with the most objects evaluates.
    pub fn cost(&self) -> usize {
        self.cost
    }
}

/// How numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Other,
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What is asked of all objects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Over {
    /// How many there are.
    Count,
    /// Whether there is one.
    Any,
    /// The least of a number.
    Least(Box<Node>),
    /// The largest.
    Most(Box<Node>),
}

/// What is remembered from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Past {
    /// It has been true for so many seconds.
    Held(f64),
    /// It was true within so many seconds.
    Lately(f64),
    /// It is true and was false at the frame before.
    Rose,
}

/// A part of an expression; types fit, for the parser sees to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Number(f64),
    Bool(bool),
    Class(ClassId),
    /// By place in [`crate::FRAME_SIGNALS`].
    Frame(usize),
    /// By place in [`crate::OBJECT_SIGNALS`].
    Object(usize),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Negative(Box<Node>),
    Absolute(Box<Node>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Compare(Compare, Box<[Node; 2]>),
    /// Over those objects of which a condition holds.
    Objects(Over, Option<Box<Node>>),
    /// With the place of its memory.
    Past(Past, Box<Node>, usize),
}
