//! From tokens to a checked expression, by descent; each part is typed as it is read.

use ommatidia_scene::Taxonomy;

use super::tokens::{Placed, Token, problem, tokens};
use super::{Arithmetic, Compare, MAX_COST, MAX_DEPTH, MAX_NODES, Node, Over, Past, Trigger};
use crate::{
    Error,
    signals::{FRAME_SIGNALS, MAX_OBJECTS, OBJECT_SIGNALS, Signal},
    unit::{Type, Unit},
};

/// Longest time that is remembered, seconds.
const MAX_PAST_S: f64 = 600.0;
const PLAIN: Type = Type::Number(Unit::ONE);

/// A part and where it begins.
struct Part {
    node: Node,
    kind: Type,
    column: usize,
}

struct Parser<'a> {
    tokens: Vec<Placed>,
    next: usize,
    end: usize,
    taxonomy: &'a Taxonomy,
    /// Within `count` and its like.
    objects: bool,
    depth: usize,
    nodes: usize,
    cost: usize,
    slots: usize,
}

pub(super) fn parse(text: &str, taxonomy: &Taxonomy) -> Result<Trigger, Error> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.len() + 1,
        taxonomy,
        objects: false,
        depth: 0,
        nodes: 0,
        cost: 0,
        slots: 0,
    };
    let whole = parser.condition()?;
    if parser.peek().is_some() {
        return Err(problem(parser.column(), "expected and, or, or the end"));
    }
    let (slots, cost) = (parser.slots, parser.cost);
    Ok(Trigger { text: text.to_owned(), root: whole.node, slots, cost })
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(column, _)| *column)
    }

    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(own)) if own == word);
        self.next += usize::from(is);
        is
    }

    fn sign(&mut self, sign: u8) -> bool {
        let is = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, sign: u8) -> Result<(), Error> {
        let column = self.column();
        match self.sign(sign) {
            true => Ok(()),
            false => Err(problem(column, format!("expected {}", char::from(sign)))),
        }
    }

    /// Counts a part of the expression.
    fn part(&mut self, node: Node, kind: Type, column: usize) -> Result<Part, Error> {
        self.nodes += 1;
        self.cost += if self.objects { MAX_OBJECTS } else { 1 };
        if self.nodes > MAX_NODES {
            return Err(problem(column, format!("more than {MAX_NODES} parts")));
        }
        if self.cost > MAX_COST {
            return Err(problem(
                column,
                format!("it would cost more than {MAX_COST} parts a frame; ask less of objects"),
            ));
        }
        Ok(Part { node, kind, column })
    }

    /// A condition: of this type, or an error.
    fn condition(&mut self) -> Result<Part, Error> {
        let part = self.any()?;
        let bool = |part: &Part| part.kind == Type::Bool;
        match bool(&part) {
            true => Ok(part),
            false => Err(problem(
                part.column,
                format!("this is {}; it must be true or false", part.kind),
            )),
        }
    }

    fn any(&mut self) -> Result<Part, Error> {
        if self.depth == MAX_DEPTH {
            return Err(problem(self.column(), format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let part = self.or();
        self.depth -= 1;
        part
    }

    fn or(&mut self) -> Result<Part, Error> {
        let mut left = self.and()?;
        while self.word("or") {
            let right = self.and()?;
            left = self.both(left, right, |pair| Node::Or(Box::new(pair)))?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Part, Error> {
        let mut left = self.not()?;
        while self.word("and") {
            let right = self.not()?;
            left = self.both(left, right, |pair| Node::And(Box::new(pair)))?;
        }
        Ok(left)
    }

    fn both(
        &mut self,
        left: Part,
        right: Part,
        make: fn([Node; 2]) -> Node,
    ) -> Result<Part, Error> {
        for part in [&left, &right] {
            if part.kind != Type::Bool {
                return Err(problem(
                    part.column,
                    format!("this is {}; and, or join what is true or false", part.kind),
                ));
            }
        }
        self.part(make([left.node, right.node]), Type::Bool, left.column)
    }

    fn not(&mut self) -> Result<Part, Error> {
        let column = self.column();
        let mut turned = false;
        let mut count = 0;
        while self.word("not") {
            turned = !turned;
            count += 1;
        }
        let part = self.comparison()?;
        if count > 0 && part.kind != Type::Bool {
            return Err(problem(
                part.column,
                format!("this is {}; not turns what is true or false", part.kind),
            ));
        }
        match turned {
            true => self.part(Node::Not(Box::new(part.node)), Type::Bool, column),
            false => Ok(part),
        }
    }

    fn comparison(&mut self) -> Result<Part, Error> {
        let left = self.sum()?;
        let column = self.column();
        let Some(&Token::Compare(compare)) = self.peek() else { return Ok(left) };
        self.next += 1;
        let right = self.sum()?;
        if let Some(Token::Compare(_)) = self.peek() {
            return Err(problem(self.column(), "comparisons do not chain; join two with and"));
        }
        if left.kind != right.kind {
            return Err(problem(column, format!("{} is compared with {}", left.kind, right.kind)));
        }
        let same = matches!(compare, Compare::Equal | Compare::Other);
        if !same && !matches!(left.kind, Type::Number(_)) {
            return Err(problem(column, format!("{} has no order; compare by = or !=", left.kind)));
        }
        self.part(
            Node::Compare(compare, Box::new([left.node, right.node])),
            Type::Bool,
            left.column,
        )
    }

    fn sum(&mut self) -> Result<Part, Error> {
        let mut left = self.product()?;
        loop {
            let column = self.column();
            let how = match () {
                () if self.sign(b'+') => Arithmetic::Add,
                () if self.sign(b'-') => Arithmetic::Subtract,
                () => return Ok(left),
            };
            let right = self.product()?;
            let units = (number(&left)?, number(&right)?);
            if units.0 != units.1 {
                return Err(problem(column, format!("{} and {} are added", units.0, units.1)));
            }
            left = self.arithmetic(how, left, right, units.0)?;
        }
    }

    fn product(&mut self) -> Result<Part, Error> {
        let mut left = self.unary()?;
        loop {
            let column = self.column();
            let how = match () {
                () if self.sign(b'*') => Arithmetic::Multiply,
                () if self.sign(b'/') => Arithmetic::Divide,
                () => return Ok(left),
            };
            let right = self.unary()?;
            let units = (number(&left)?, number(&right)?);
            let unit = match how {
                Arithmetic::Multiply => units.0.times(units.1),
                _ => units.0.over(units.1),
            };
            let unit = unit.ok_or_else(|| problem(column, "powers past 127"))?;
            left = self.arithmetic(how, left, right, unit)?;
        }
    }

    fn arithmetic(
        &mut self,
        how: Arithmetic,
        left: Part,
        right: Part,
        unit: Unit,
    ) -> Result<Part, Error> {
        let node = Node::Arithmetic(how, Box::new([left.node, right.node]));
        self.part(node, Type::Number(unit), left.column)
    }

    fn unary(&mut self) -> Result<Part, Error> {
        let column = self.column();
        if !self.sign(b'-') {
            return self.atom();
        }
        let part = self.atom()?;
        let unit = number(&part)?;
        self.part(Node::Negative(Box::new(part.node)), Type::Number(unit), column)
    }

    fn atom(&mut self) -> Result<Part, Error> {
        let column = self.column();
        let token = self.peek().cloned();
        self.next += usize::from(token.is_some());
        match token {
            Some(Token::Number(value, unit)) => {
                self.part(Node::Number(value), Type::Number(unit), column)
            }
            Some(Token::Sign(b'(')) => {
                let part = self.any()?;
                self.expect(b')')?;
                Ok(part)
            }
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => self.part(Node::Bool(word == "true"), Type::Bool, column),
                "abs" => self.absolute(column),
                "count" | "any" | "least" | "most" => self.over(&word, column),
                "held" | "lately" | "rose" => self.past(&word, column),
                _ => self.name(&word, column),
            },
            _ => Err(problem(column, "expected a name, a number or (")),
        }
    }

    fn absolute(&mut self, column: usize) -> Result<Part, Error> {
        self.expect(b'(')?;
        let part = self.any()?;
        let unit = number(&part)?;
        self.expect(b')')?;
        self.part(Node::Absolute(Box::new(part.node)), Type::Number(unit), column)
    }

    /// `count(CONDITION)`, `any(CONDITION)`, `least(NUMBER where CONDITION)`, `most(…)`.
    fn over(&mut self, word: &str, column: usize) -> Result<Part, Error> {
        if self.objects {
            return Err(problem(
                column,
                format!(
                    "{word} stands within another one; objects are not compared with each other"
                ),
            ));
        }
        self.expect(b'(')?;
        self.objects = true;
        let made = self.over_objects(word);
        self.objects = false;
        let (over, condition, kind) = made?;
        self.expect(b')')?;
        self.part(Node::Objects(over, condition), kind, column)
    }

    fn over_objects(&mut self, word: &str) -> Result<(Over, Option<Box<Node>>, Type), Error> {
        if word == "count" || word == "any" {
            let condition = self.condition()?.node;
            let (over, kind) = match word {
                "count" => (Over::Count, PLAIN),
                _ => (Over::Any, Type::Bool),
            };
            return Ok((over, Some(Box::new(condition)), kind));
        }
        let value = self.any()?;
        let kind = Type::Number(number(&value)?);
        let value = Box::new(value.node);
        let condition = match self.word("where") {
            true => Some(Box::new(self.condition()?.node)),
            false => None,
        };
        let over = if word == "least" { Over::Least(value) } else { Over::Most(value) };
        Ok((over, condition, kind))
    }

    /// `held(CONDITION, TIME)`, `lately(CONDITION, TIME)`, `rose(CONDITION)`.
    fn past(&mut self, word: &str, column: usize) -> Result<Part, Error> {
        if self.objects {
            return Err(problem(
                column,
                format!("{word} stands within count or its like; put it around them"),
            ));
        }
        self.expect(b'(')?;
        let condition = self.condition()?;
        let past = match word {
            "rose" => Past::Rose,
            _ => {
                self.expect(b',')?;
                let time_s = self.time_s()?;
                if word == "held" { Past::Held(time_s) } else { Past::Lately(time_s) }
            }
        };
        self.expect(b')')?;
        let slot = self.slots;
        self.slots += 1;
        self.part(Node::Past(past, Box::new(condition.node), slot), Type::Bool, column)
    }

    fn time_s(&mut self) -> Result<f64, Error> {
        let column = self.column();
        let Some(&Token::Number(time_s, Unit::S)) = self.peek() else {
            return Err(problem(column, "expected a time, such as 2 s"));
        };
        self.next += 1;
        match time_s <= MAX_PAST_S {
            true => Ok(time_s),
            false => Err(problem(column, format!("at most {MAX_PAST_S} s are remembered"))),
        }
    }

    fn name(&mut self, word: &str, column: usize) -> Result<Part, Error> {
        fn place<T>(signals: &[Signal<T>], word: &str) -> Option<(usize, Type)> {
            let place = signals.iter().position(|signal| signal.name == word)?;
            Some((place, signals[place].kind))
        }
        let object = place(OBJECT_SIGNALS, word);
        if let Some((place, kind)) = object.filter(|_| self.objects) {
            return self.part(Node::Object(place), kind, column);
        }
        // Within count, `speed` is the object's, and `ego_speed` the vehicle's.
        let own = word.strip_prefix("ego_").unwrap_or(word);
        if let Some((place, kind)) = place(FRAME_SIGNALS, own) {
            return self.part(Node::Frame(place), kind, column);
        }
        if let Some(class) = self.taxonomy.id(word) {
            return self.part(Node::Class(class), Type::Class, column);
        }
        if object.is_some() {
            return Err(problem(
                column,
                format!("{word} is an object's; ask within count, any, least or most"),
            ));
        }
        Err(problem(
            column,
            format!("{word} is no signal, no class of {} and no function", self.taxonomy.name),
        ))
    }
}

fn number(part: &Part) -> Result<Unit, Error> {
    match part.kind {
        Type::Number(unit) => Ok(unit),
        kind => Err(problem(part.column, format!("this is {kind}; it must be a number"))),
    }
}
