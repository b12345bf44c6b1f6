//! Seconds a picture to read, change and fit pictures with class maps, as `omma train camvid` does, without a
//! network: `loading_speed FOLDER COUNT WORKERS` prints JSON. `bench/network/loading.py` runs it beside
//! PyTorch.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ommatidia_scene::Taxonomy;
use ommatidia_train::data::{
    AugmentConfig, Dataset, Loader, LoaderConfig, Positions, SkipLog, Source, Spacing, Window,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [folder, count, workers] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("usage: loading_speed FOLDER COUNT WORKERS".into());
    };
    let taxonomy = Taxonomy::built_in("camvid").ok_or("no taxonomy camvid")?;
    let window = Window { moments: 1, spacing: Spacing::Frames(1) };
    let data = Dataset::open(&[PathBuf::from(folder)], "train", window, &taxonomy)?;
    let config = LoaderConfig {
        seed: 0,
        size: [480, 360],
        augment: AugmentConfig {
            scale: [0.5, 2.0],
            flip: 0.5,
            colour: 0.4,
            blur: 0.1,
            ..AugmentConfig::default()
        },
        workers: workers.parse()?,
        ahead: 16,
    };
    let positions = Positions { start: 0, step: 4, share: 4, first: 0 };
    let (pictures, count): (_, usize) = (data.len(), count.parse()?);
    let begun = Instant::now();
    let mut loader = Loader::new(Arc::new(data), positions, &config, Arc::new(SkipLog::default()));
    for _ in 0..count {
        loader.next()?;
    }
    let seconds = begun.elapsed().as_secs_f64() / count as f64;
    println!("{{\"pictures\": {pictures}, \"seconds_per_picture\": {seconds}}}");
    Ok(())
}
