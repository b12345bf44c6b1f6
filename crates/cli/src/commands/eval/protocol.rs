//! `--protocol NAME|FILE`.

use std::path::Path;

use ommatidia_metrics::Protocol;

use crate::failure::Failure;

/// A named protocol, one from a TOML file, or without a name the default.
pub(super) fn resolve<P: Protocol>(given: Option<&str>) -> Result<P, Failure> {
    let name = given.unwrap_or(P::NAMED[0].0);
    let known = P::NAMED.iter().any(|(known, _)| *known == name);
    let path = Path::new(name);
    if known || !path.is_file() {
        return P::named(name).map_err(Failure::input);
    }
    let text = ommatidia_store::results::text::read_settings(path)?;
    P::parse(name, &text).map_err(Failure::input)
}
