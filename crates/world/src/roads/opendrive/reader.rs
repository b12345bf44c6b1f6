//! Elements and attributes of a file, with errors that say where.

use roxmltree::{Document, ParsingOptions};

/// Why an OpenDRIVE file cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OpenDriveError {
    /// It is no XML.
    #[error("not readable as XML: {cause}")]
    Xml {
        /// What the parser says, with line and column.
        cause: String,
    },
    /// The root element is another.
    #[error(
        "line {line}: the root element is <{found}>; an OpenDRIVE file begins with <OpenDRIVE>"
    )]
    Root {
        /// What it is.
        found: String,
        /// Where.
        line: u32,
    },
    /// An element or attribute is missing.
    #[error("line {line}: <{element}> has no `{what}`")]
    Missing {
        /// The element.
        element: String,
        /// What it lacks.
        what: String,
        /// Where.
        line: u32,
    },
    /// An attribute cannot be used.
    #[error("line {line}: `{attribute}` of <{element}> is `{found}`; it has to be {wanted}")]
    Value {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// What it is.
        found: String,
        /// What it may be.
        wanted: String,
        /// Where.
        line: u32,
    },
    /// There is more than can be handled.
    #[error("line {line}: <{element}> brings the {what} to {found}; up to {most} can be read")]
    TooMuch {
        /// The element.
        element: String,
        /// Of what.
        what: String,
        /// How much.
        found: f64,
        /// How much there may be.
        most: f64,
        /// Where.
        line: u32,
    },
}

/// Largest file, bytes, and most elements and attributes.
const LARGEST_FILE: usize = 256 << 20;
const MOST_NODES: u32 = 8_000_000;
/// Most elements in one element.
const MOST_CHILDREN: usize = 100_000;

pub(super) fn parse(xml: &str) -> Result<Document<'_>, OpenDriveError> {
    if xml.len() > LARGEST_FILE {
        let cause = format!("{} bytes; files of up to {LARGEST_FILE} can be read", xml.len());
        return Err(OpenDriveError::Xml { cause });
    }
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options)
        .map_err(|error| OpenDriveError::Xml { cause: error.to_string() })
}

/// An element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    node: roxmltree::Node<'a, 'a>,
}

impl<'a> Node<'a> {
    pub(super) fn root(document: &'a Document<'a>) -> Result<Self, OpenDriveError> {
        let root = Self { node: document.root_element() };
        if root.name() != "OpenDRIVE" {
            return Err(OpenDriveError::Root { found: root.name().to_owned(), line: root.line() });
        }
        for node in root.node.descendants().filter(roxmltree::Node::is_element) {
            Self { node }.check_count()?;
        }
        Ok(root)
    }

    fn check_count(&self) -> Result<(), OpenDriveError> {
        let count = self.elements().count();
        if count > MOST_CHILDREN {
            return Err(self.too_much(
                "number of elements in it",
                count as f64,
                MOST_CHILDREN as f64,
            ));
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &'a str {
        self.node.tag_name().name()
    }

    fn line(&self) -> u32 {
        self.node.document().text_pos_at(self.node.range().start).row
    }

    pub(super) fn children(&self, name: &'a str) -> impl Iterator<Item = Self> + use<'a> {
        let children = self.node.children().filter(move |child| child.has_tag_name(name));
        children.map(|node| Self { node })
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = Self> + use<'a> {
        let children = self.node.children().filter(roxmltree::Node::is_element);
        children.map(|node| Self { node })
    }

    pub(super) fn child(&self, name: &'a str) -> Option<Self> {
        self.children(name).next()
    }

    pub(super) fn needs(&self, name: &'a str) -> Result<Self, OpenDriveError> {
        self.child(name).ok_or_else(|| self.missing(name))
    }

    pub(super) fn text(&self, attribute: &str) -> Result<&'a str, OpenDriveError> {
        self.node.attribute(attribute).ok_or_else(|| self.missing(attribute))
    }

    pub(super) fn optional(&self, attribute: &str) -> Option<&'a str> {
        self.node.attribute(attribute)
    }

    /// A number from `-most` to `most`.
    pub(super) fn number(&self, attribute: &str, most: f64) -> Result<f64, OpenDriveError> {
        let text = self.text(attribute)?;
        match text.trim().parse::<f64>() {
            Ok(value) if value.abs() <= most => Ok(value),
            _ => Err(self.wrong(attribute, &format!("a number from {} to {most}", -most))),
        }
    }

    /// A number from 0 to `most`.
    pub(super) fn amount(&self, attribute: &str, most: f64) -> Result<f64, OpenDriveError> {
        match self.number(attribute, most) {
            Ok(value) if value >= 0.0 => Ok(value),
            Err(error @ OpenDriveError::Missing { .. }) => Err(error),
            _ => Err(self.wrong(attribute, &format!("a number from 0 to {most}"))),
        }
    }

    pub(super) fn integer(&self, attribute: &str) -> Result<i32, OpenDriveError> {
        let value = self.text(attribute)?.trim().parse::<i32>();
        let small = value.ok().filter(|value| value.unsigned_abs() <= 1000);
        small.ok_or_else(|| self.wrong(attribute, "a whole number from -1000 to 1000"))
    }

    pub(super) fn missing(&self, what: &str) -> OpenDriveError {
        OpenDriveError::Missing {
            element: self.name().to_owned(),
            what: what.to_owned(),
            line: self.line(),
        }
    }

    pub(super) fn wrong(&self, attribute: &str, wanted: &str) -> OpenDriveError {
        // Enough to recognise it by.
        let found = self.optional(attribute).unwrap_or("").chars().take(80).collect();
        OpenDriveError::Value {
            element: self.name().to_owned(),
            attribute: attribute.to_owned(),
            found,
            wanted: wanted.to_owned(),
            line: self.line(),
        }
    }

    pub(super) fn too_much(&self, what: &str, found: f64, most: f64) -> OpenDriveError {
        let (element, what, line) = (self.name().to_owned(), what.to_owned(), self.line());
        OpenDriveError::TooMuch { element, what, found, most, line }
    }
}
