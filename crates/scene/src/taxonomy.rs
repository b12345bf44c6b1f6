//! Classes, and how other data sets' classes map onto ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Index of a class in a [`Taxonomy`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ClassId(pub u8);

impl ClassId {
    /// Not known: occupied, but by what nobody has said.
    pub const UNKNOWN: Self = Self(0);
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Unique, snake case.
    pub name: String,
    /// Display colour, sRGB.
    pub rgb: [u8; 3],
    /// Can move by itself or be moved.
    #[serde(default)]
    pub movable: bool,
    /// Vehicles drive on it.
    #[serde(default)]
    pub drivable: bool,
}

/// Our classes, and for each foreign data set its names onto ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    /// Name, recorded in clips and labels.
    pub name: String,
    /// The classes; the first is `unknown`.
    pub classes: Vec<Class>,
    /// Data set, then its class name or number as text, then our class's name.
    #[serde(default)]
    pub map: BTreeMap<String, BTreeMap<String, String>>,
}

/// Why a taxonomy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TaxonomyError {
    /// Not TOML of the expected shape.
    #[error("taxonomy: {0}")]
    Parse(#[from] toml::de::Error),
    /// The first class must stand for what is not known.
    #[error("taxonomy {0}: the first class must be named unknown")]
    FirstNotUnknown(String),
    /// Two classes with one name, or more than 256.
    #[error("taxonomy {taxonomy}: class {class} is repeated, or past the 256th")]
    Classes {
        /// The taxonomy's name.
        taxonomy: String,
        /// The class's name.
        class: String,
    },
    /// A data set's class maps onto none of ours.
    #[error("taxonomy {taxonomy}: {dataset} maps {foreign} onto {class}, which is no class")]
    Target {
        /// The taxonomy's name.
        taxonomy: String,
        /// The data set.
        dataset: String,
        /// Its class.
        foreign: String,
        /// The name that is missing here.
        class: String,
    },
}

/// Those that come with the program.
const BUILT_IN: &[(&str, &str)] = &[
    ("driving", include_str!("../taxonomies/driving.toml")),
    ("camvid", include_str!("../taxonomies/camvid.toml")),
];

impl Taxonomy {
    /// Parses and checks a taxonomy file.
    ///
    /// # Errors
    /// Where it is not TOML of this shape, repeats a class, or maps onto a class that is not there.
    pub fn parse(toml: &str) -> Result<Self, TaxonomyError> {
        let taxonomy: Self = toml::from_str(toml)?;
        taxonomy.check()?;
        Ok(taxonomy)
    }

    /// The classes that the program uses unless told otherwise: `taxonomies/driving.toml`.
    pub fn driving() -> Self {
        Self::built_in("driving").expect("it is one of them")
    }

    /// A taxonomy that comes with the program, by its name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, toml) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(toml).expect("the built-in taxonomies are tested"))
    }

    fn check(&self) -> Result<(), TaxonomyError> {
        if self.classes.first().is_none_or(|class| class.name != "unknown") {
            return Err(TaxonomyError::FirstNotUnknown(self.name.clone()));
        }
        for (index, class) in self.classes.iter().enumerate() {
            if index > 255 || self.classes[..index].iter().any(|earlier| earlier.name == class.name)
            {
                let (taxonomy, class) = (self.name.clone(), class.name.clone());
                return Err(TaxonomyError::Classes { taxonomy, class });
            }
        }
        for (dataset, names) in &self.map {
            for (foreign, class) in names {
                if self.id(class).is_none() {
                    let (taxonomy, dataset) = (self.name.clone(), dataset.clone());
                    let (foreign, class) = (foreign.clone(), class.clone());
                    return Err(TaxonomyError::Target { taxonomy, dataset, foreign, class });
                }
            }
        }
        Ok(())
    }

    /// The class of that name.
    pub fn id(&self, name: &str) -> Option<ClassId> {
        self.classes.iter().position(|class| class.name == name).map(|index| ClassId(index as u8))
    }

    /// The class of that index.
    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(usize::from(id.0))
    }

    /// Ours for a data set's class; `None` if the map does not know it.
    pub fn from_foreign(&self, dataset: &str, foreign: &str) -> Option<ClassId> {
        self.id(self.map.get(dataset)?.get(foreign)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_taxonomy_maps_the_data_sets_we_read() {
        let taxonomy = Taxonomy::driving();
        let name = |id: ClassId| taxonomy.class(id).unwrap().name.as_str();
        for (dataset, foreign, expected) in [
            ("semantickitti", "40", "road"),
            ("semantickitti", "252", "car"),
            ("nuscenes", "human.pedestrian.adult", "pedestrian"),
            ("argoverse2", "REGULAR_VEHICLE", "car"),
            ("dgp", "Car", "car"),
        ] {
            assert_eq!(name(taxonomy.from_foreign(dataset, foreign).unwrap()), expected);
        }
        assert_eq!(taxonomy.from_foreign("nuscenes", "spaceship"), None);
    }

    #[test]
    fn built_in_taxonomies_have_their_own_names() {
        for (name, _) in BUILT_IN {
            assert_eq!(Taxonomy::built_in(name).unwrap().name, *name);
        }
        assert_eq!(Taxonomy::built_in("moon"), None);
        let camvid = Taxonomy::built_in("camvid").unwrap();
        assert_eq!(camvid.from_foreign("pictures", "11"), Some(ClassId::UNKNOWN));
    }

    #[test]
    fn broken_files_say_what_is_wrong() {
        let class = |name: &str| format!("[[classes]]\nname = \"{name}\"\nrgb = [0, 0, 0]\n");
        let check = |body: String, expected: &str| {
            let error = Taxonomy::parse(&format!("name = \"t\"\n{body}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(class("road"), "must be named unknown");
        check(class("unknown") + &class("a") + &class("a"), "class a is repeated");
        check(class("unknown") + "[map.x]\ny = \"z\"\n", "x maps y onto z");
        check(class("unknown") + "colour = 3\n", "colour");
    }
}
