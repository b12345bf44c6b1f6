//! Published weights that a training begins with.

use burn::module::Module;
use ommatidia_scene::Input;
use ommatidia_store::hash;
use ommatidia_train::flat::Layout;
use ommatidia_train::weights::{Imported, import};
use ommatidia_train::{WeightsConfig, weights};

use super::TrainArguments;
use crate::failure::Failure;

/// What the arguments ask for, else the settings.
pub(super) fn wanted(
    arguments: &TrainArguments,
    settings: Option<WeightsConfig>,
) -> Result<Option<WeightsConfig>, Failure> {
    match (&arguments.weights, &arguments.weights_map, settings) {
        (Some(file), map, _) => Ok(Some(WeightsConfig { file: file.clone(), map: map.clone() })),
        (None, Some(map), Some(settings)) => {
            Ok(Some(WeightsConfig { map: Some(map.clone()), ..settings }))
        }
        (None, Some(_), None) => {
            Err(Failure::input("--weights-map is given and no --weights; give the file, too"))
        }
        (None, None, settings) => Ok(settings),
    }
}

/// The files by content: they decide what is learnt, as the data does.
pub(super) fn inputs(config: &WeightsConfig) -> Result<Vec<Input>, Failure> {
    let weights = Input { name: "weights".to_owned(), blake3: hash::of_file(&config.file)? };
    let map = config.map.as_ref().filter(|map| weights::MAPS.iter().all(|(name, _)| name != map));
    let map = map.map(|map| -> Result<Input, Failure> {
        let blake3 = hash::of_file(map.as_ref())?;
        Ok(Input { name: "map of names".to_owned(), blake3 })
    });
    Ok([weights].into_iter().chain(map.transpose()?).collect())
}

/// The network with the backbone's weights put in.
pub(super) fn read<M: Module>(
    config: &WeightsConfig,
    network: M,
) -> Result<(M, Imported), Failure> {
    let layout = Layout::of(&network);
    let mut row = layout.gather(&network);
    let imported = import(&config.file, config.map.as_deref(), &layout, &mut row)?;
    Ok((layout.scatter(network, &row), imported))
}

/// What was read and what was not, in lines.
pub(super) fn describe(imported: &Imported) -> String {
    let Imported { file, map, read, of, share, missing, misfits, left } = imported;
    let percent = 100.0 * share;
    let mut text = format!(
        "{}: {read} of the backbone's {of} tensors, {percent:.1} % of its numbers, by the map {map}",
        file.display()
    );
    let lists = [
        ("of other sizes, begun afresh", misfits),
        ("not in the file, begun afresh", missing),
        ("in the file and not in the backbone", left),
    ];
    for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
        let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
        let more = names.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &format!("\n  {what}: {}{more}", shown.join(", "));
    }
    text
}

/// Names of a list that are shown; the run's `run.json` has all.
const SHOWN: usize = 4;
