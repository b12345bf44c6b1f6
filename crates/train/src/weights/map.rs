//! Which tensor of a published network is which of ours.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The maps that come with the program, each with its TOML.
pub const MAPS: &[(&str, &str)] = &[
    ("torchvision_resnet", include_str!("../../maps/torchvision_resnet.toml")),
    ("torchvision_regnet", include_str!("../../maps/torchvision_regnet.toml")),
    ("timm_regnet", include_str!("../../maps/timm_regnet.toml")),
    ("timm_pvt_v2", include_str!("../../maps/timm_pvt_v2.toml")),
    ("pvt_v2", include_str!("../../maps/pvt_v2.toml")),
];

/// A map of names.
///
/// Names are parts joined by dots. A part `{x}` of ours stands for any one part; where it is a number, `{x+1}`
/// of theirs is the next. A last part `*` stands for the leaves of a layer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameMap {
    /// What `*` stands for: ours to theirs.
    #[serde(default)]
    leaves: BTreeMap<String, String>,
    /// Ours, within the backbone, to theirs. Of several that fit, the one with fewer `{x}` holds.
    names: BTreeMap<String, Theirs>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Theirs {
    Name(String),
    Changed(Changed),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    name: String,
    /// This part, from 0, of so many equal ones along the first dimension.
    #[serde(default)]
    part: Option<[usize; 2]>,
    /// Matrices are stored the other way around.
    #[serde(default)]
    transpose: bool,
}

/// What a tensor of ours is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) part: Option<[usize; 2]>,
    pub(super) transpose: bool,
}

impl NameMap {
    /// From TOML.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let map: Self = toml::from_str(text).map_err(|cause| cause.to_string())?;
        for (ours, theirs) in &map.names {
            if let Theirs::Changed(Changed { part: Some([part, of]), .. }) = theirs
                && part >= of
            {
                return Err(format!("names.{ours:?}: part {part} of {of}; parts count from 0"));
            }
        }
        Ok(map)
    }

    /// What a tensor of the backbone, by its path within, is made of.
    pub(super) fn origin(&self, ours: &str) -> Option<Origin> {
        let fitting = self
            .names
            .iter()
            .filter_map(|(pattern, theirs)| Some((free(pattern), fit(pattern, ours)?, theirs)));
        let (_, values, theirs) = fitting.min_by_key(|(free, ..)| *free)?;
        let (name, part, transpose) = match theirs {
            Theirs::Name(name) => (name, None, false),
            Theirs::Changed(changed) => (&changed.name, changed.part, changed.transpose),
        };
        Some(Origin { name: self.fill(name, &values)?, part, transpose })
    }

    /// A name of theirs with its places filled.
    fn fill(&self, name: &str, values: &BTreeMap<&str, &str>) -> Option<String> {
        let mut out = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}')?;
            out += before;
            match place.split_once('+') {
                None => out += values.get(place)?,
                Some((place, more)) => {
                    let number: u64 = values.get(place)?.parse().ok()?;
                    out += &number.checked_add(more.parse().ok()?)?.to_string();
                }
            }
            rest = after;
        }
        match rest.strip_suffix('*') {
            Some(rest) => Some(out + rest + self.leaves.get(*values.get("*")?)?),
            None => Some(out + rest),
        }
    }
}

/// Parts that stand for any.
fn free(pattern: &str) -> usize {
    pattern.matches('{').count()
}

/// What the places of a pattern stand for in a name, if it fits.
fn fit<'a>(pattern: &'a str, name: &'a str) -> Option<BTreeMap<&'a str, &'a str>> {
    let (patterns, names) = (pattern.split('.'), name.split('.'));
    if patterns.clone().count() != names.clone().count() {
        return None;
    }
    let mut values = BTreeMap::new();
    for (pattern, part) in patterns.zip(names) {
        match pattern.strip_prefix('{').and_then(|place| place.strip_suffix('}')) {
            Some(place) => drop(values.insert(place, part)),
            None if pattern == "*" => drop(values.insert("*", part)),
            None if pattern == part => {}
            None => return None,
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mapped() {
        let map = NameMap::parse(
            r#"
            leaves = { gamma = "weight" }
            [names]
            "a.{s}.{b}.norm.*" = "x{s+1}-{b}.bn.*"
            "a.0.{b}.norm.*" = "first.{b}.*"
            "k.weight" = { name = "kv.weight", part = [0, 2], transpose = true }
            "#,
        )
        .unwrap();
        let name = |ours: &str| map.origin(ours).map(|origin| origin.name);
        assert_eq!(name("a.3.2.norm.gamma").as_deref(), Some("x4-2.bn.weight"));
        assert_eq!(name("a.0.2.norm.gamma").as_deref(), Some("first.2.weight"));
        assert_eq!(name("a.3.2.norm.beta"), None, "no such leaf");
        assert_eq!(name("a.three.2.norm.gamma"), None, "no number");
        assert_eq!(name("a.3.2.norm"), None);
        let key = map.origin("k.weight").unwrap();
        assert_eq!((key.part, key.transpose), (Some([0, 2]), true));
    }

    #[test]
    fn maps_are_checked() {
        let error = |text: &str| NameMap::parse(text).unwrap_err();
        assert!(error("[names]\na = { name = \"b\", part = [2, 2] }").contains("part 2 of 2"));
        assert!(error("[names]\na = 3").contains("line 2"));
        assert!(error("names = {}\nother = 1").contains("other"));
        for (name, text) in MAPS {
            NameMap::parse(text).unwrap_or_else(|cause| panic!("{name}: {cause}"));
        }
    }
}
