//! From text to terms, by descent.

use super::{Compare, MAX_DEPTH, MAX_ITEMS, MAX_TERMS, MAX_TEXT, Term, Test, Value};
use crate::Error;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Value(Value),
    Compare(Compare),
    Open,
    Close,
    Comma,
}

pub(super) fn parse(text: &str) -> Result<Term, Error> {
    if text.len() > MAX_TEXT {
        return Err(problem(MAX_TEXT, &format!("a filter has at most {MAX_TEXT} bytes")));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), terms: 0 };
    let term = parser.or(0)?;
    match parser.peek() {
        None => Ok(term),
        Some(_) => Err(parser.problem("expected AND, OR or the end")),
    }
}

fn problem(at: usize, problem: &str) -> Error {
    Error::Filter { at, problem: problem.to_owned() }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Error> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let run = |accepts: fn(u8) -> bool| {
            start + bytes[start..].iter().take_while(|byte| accepts(**byte)).count()
        };
        let token = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'(' | b')' | b',' => {
                at += 1;
                [Token::Open, Token::Close, Token::Comma][usize::from(byte - b'(').min(2)].clone()
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = run(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                Token::Word(text[start..at].to_owned())
            }
            b'0'..=b'9' | b'-' | b'+' | b'.' => {
                at = run(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
                let number = text[start..at].parse().ok().filter(|number: &f64| number.is_finite());
                Token::Value(Value::Number(number.ok_or_else(|| problem(start, "not a number"))?))
            }
            b'\'' => {
                let (value, end) = quoted(text, start)?;
                at = end;
                Token::Value(Value::Text(value))
            }
            b'=' | b'<' | b'>' | b'!' => {
                at = run(|byte| b"=<>!".contains(&byte));
                Token::Compare(match &text[start..at] {
                    "=" => Compare::Equal,
                    "!=" | "<>" => Compare::Other,
                    "<" => Compare::Less,
                    "<=" => Compare::AtMost,
                    ">" => Compare::More,
                    ">=" => Compare::AtLeast,
                    _ => return Err(problem(start, "not a comparison: = != <> < <= > >=")),
                })
            }
            _ => return Err(problem(start, "a character that means nothing here")),
        };
        tokens.push((start, token));
    }
    Ok(tokens)
}

/// A text in single quotes, in which two quotes stand for one; and the byte behind it.
fn quoted(text: &str, start: usize) -> Result<(String, usize), Error> {
    let mut value = String::new();
    let mut rest = text[start + 1..].char_indices().peekable();
    while let Some((offset, character)) = rest.next() {
        match character {
            '\'' if rest.next_if(|(_, next)| *next == '\'').is_none() => {
                return Ok((value, start + 1 + offset + 1));
            }
            // A database may end a text there.
            '\0' => return Err(problem(start + 1 + offset, "a text holds no zero byte")),
            _ => value.push(character),
        }
    }
    Err(problem(start, "the text has no closing quote"))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    terms: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn problem(&self, text: &str) -> Error {
        problem(self.tokens.get(self.next).map_or(self.end, |(at, _)| *at), text)
    }

    /// Takes that word, in upper or lower case.
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word));
        self.next += usize::from(is);
        is
    }

    fn token(&mut self, token: &Token) -> bool {
        let is = self.peek() == Some(token);
        self.next += usize::from(is);
        is
    }

    fn or(&mut self, depth: usize) -> Result<Term, Error> {
        let mut parts = vec![self.and(depth)?];
        while self.word("OR") {
            parts.push(self.and(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Term::Or(parts) })
    }

    fn and(&mut self, depth: usize) -> Result<Term, Error> {
        let mut parts = vec![self.not(depth)?];
        while self.word("AND") {
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Term::And(parts) })
    }

    fn not(&mut self, depth: usize) -> Result<Term, Error> {
        if depth >= MAX_DEPTH {
            return Err(self.problem(&format!("nested more than {MAX_DEPTH} deep")));
        }
        if self.word("NOT") {
            return Ok(Term::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.token(&Token::Open) {
            let term = self.or(depth + 1)?;
            if !self.token(&Token::Close) {
                return Err(self.problem("expected )"));
            }
            return Ok(term);
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.problem(&format!("more than {MAX_TERMS} comparisons")));
        }
        if self.word("TRUE") {
            return Ok(Term::True);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Term, Error> {
        const RESERVED: [&str; 8] = ["and", "or", "not", "in", "like", "is", "null", "true"];
        let name = match self.peek() {
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            None => return Err(self.problem("expected an attribute; TRUE is every vehicle")),
            Some(_) => return Err(self.problem("expected an attribute")),
        };
        if RESERVED.contains(&name.as_str()) {
            return Err(self.problem("expected an attribute, not a word of the language"));
        }
        if name.len() > crate::wire::MAX_ATTRIBUTE_NAME {
            return Err(self.problem("the attribute's name is too long"));
        }
        self.next += 1;
        if self.word("IS") {
            let absent = !self.word("NOT");
            if !self.word("NULL") {
                return Err(self.problem("expected NULL or NOT NULL"));
            }
            let known = Term::Attribute(name, Test::Known);
            return Ok(if absent { Term::Not(Box::new(known)) } else { known });
        }
        let negated = self.word("NOT");
        let test = if self.word("IN") {
            Test::In(self.list()?)
        } else if self.word("LIKE") {
            Test::Prefix(self.prefix()?)
        } else if negated {
            return Err(self.problem("expected IN or LIKE"));
        } else {
            self.compared()?
        };
        Ok(if negated {
            let known = Term::Attribute(name.clone(), Test::Known);
            Term::And(vec![known, Term::Not(Box::new(Term::Attribute(name, test)))])
        } else {
            Term::Attribute(name, test)
        })
    }

    fn compared(&mut self) -> Result<Test, Error> {
        let Some(Token::Compare(compare)) = self.peek() else {
            return Err(self.problem("expected a comparison, IN, LIKE or IS"));
        };
        let compare = *compare;
        self.next += 1;
        match (compare, self.value()?) {
            (compare, Value::Number(number)) => Ok(Test::Number(compare, number)),
            (Compare::Equal, Value::Text(text)) => Ok(Test::Text(text)),
            (Compare::Other, Value::Text(text)) => Ok(Test::OtherText(text)),
            _ => Err(self.problem("texts have no order; only = and != compare them")),
        }
    }

    fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(Token::Value(value)) => {
                let value = value.clone();
                self.next += 1;
                Ok(value)
            }
            _ => Err(self.problem("expected a number, or a text in single quotes")),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, Error> {
        if !self.token(&Token::Open) {
            return Err(self.problem("expected ("));
        }
        let mut values = vec![self.value()?];
        while self.token(&Token::Comma) {
            values.push(self.value()?);
        }
        if values.len() > MAX_ITEMS {
            return Err(self.problem(&format!("more than {MAX_ITEMS} values in a list")));
        }
        if !self.token(&Token::Close) {
            return Err(self.problem("expected , or )"));
        }
        Ok(values)
    }

    fn prefix(&mut self) -> Result<String, Error> {
        let Value::Text(pattern) = self.value()? else {
            return Err(self.problem("LIKE compares with a text"));
        };
        match pattern.strip_suffix('%') {
            Some(prefix) if !prefix.contains(['%', '_', '\\']) => Ok(prefix.to_owned()),
            _ => Err(self.problem("LIKE takes a beginning and one %, as in 'abc%'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_filter_is_refused_with_its_place() {
        let check = |text: &str, place: usize| match parse(text) {
            Err(Error::Filter { at, .. }) => assert_eq!(at, place, "{text}"),
            other => panic!("{text}: {other:?}"),
        };
        check("", 0);
        check("region", 6);
        check("region = ", 9);
        check("region = 'eu", 9);
        check("region = 'eu'; DROP TABLE vehicle", 13);
        check("region = 'eu' -- x", 14);
        check("region = 'eu' /* */ OR 1=1", 14);
        check("1 = 1", 0);
        check("region = \"eu\"", 9);
        check("region = (SELECT 1)", 9);
        check("region = 'eu' UNION SELECT 1", 14);
        check("region == 'eu'", 7);
        check("region LIKE '%eu%'", 18);
        check("region < 'eu'", 13);
        check("and = 1", 0);
        check("a = 1 AND", 9);
        check("a = 1e999", 4);
        check("a = '\0'", 5);
        check("(a = 1", 6);
        check("a IN ()", 6);
        check(&"(".repeat(100), MAX_DEPTH);
        check(&"a = 1 OR ".repeat(70), MAX_TERMS * 9);
        check(&format!("a IN ({})", vec!["1"; 300].join(",")), 605);
        check(&" ".repeat(3000), MAX_TEXT);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[a-zA-Z0-9'()=<>!%,. \\-_é\0]{0,80}") {
            let _ = parse(&text);
        }
    }
}
