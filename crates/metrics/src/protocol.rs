//! Protocols: the settings of an official evaluation, as named TOML files.

use serde::de::DeserializeOwned;

use crate::Error;

/// Settings of one metric. The named ones are embedded; others are read from TOML by whoever does I/O.
///
/// One file of `protocols/` per official setting, named as its authors name it; unknown keys are refused
/// (`#[serde(deny_unknown_fields)]` on the type).
pub trait Protocol: DeserializeOwned {
    /// What it is for, as in `detection`.
    const KIND: &'static str;
    /// Names and texts of the embedded ones; the first is the default.
    const NAMED: &'static [(&'static str, &'static str)];

    /// Checks what types cannot.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn check(&self) -> Result<(), String>;

    /// An embedded protocol.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`] if there is none of that name.
    fn named(name: &str) -> Result<Self, Error> {
        match Self::NAMED.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => Self::parse(name, text),
            None => Err(Error::UnknownProtocol {
                kind: Self::KIND,
                name: name.to_owned(),
                known: Self::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A protocol from TOML; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the text is not TOML, lacks a key, has an unknown one, or fails [`Self::check`].
    fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Protocol { name: name.to_owned(), what };
        let protocol: Self = toml::from_str(text).map_err(|cause| wrong(cause.to_string()))?;
        protocol.check().map_err(wrong)?;
        Ok(protocol)
    }
}

/// For each protocol type: all embedded files are valid, and an unknown key is refused.
#[cfg(test)]
pub(crate) fn check_named<P: Protocol + std::fmt::Debug>() {
    for (name, text) in P::NAMED {
        P::named(name).unwrap_or_else(|cause| panic!("{cause}"));
        let cause = P::parse(name, &format!("no_such_key = 1\n{text}")).unwrap_err();
        assert!(cause.to_string().contains("no_such_key"), "{cause}");
    }
    assert!(matches!(P::named("no such protocol"), Err(Error::UnknownProtocol { .. })));
}
