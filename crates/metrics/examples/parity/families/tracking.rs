//! HOTA, CLEAR MOT and identity figures of sequences given as identities and similarities.

use ommatidia_metrics::Protocol;
use ommatidia_metrics::tracking::{Frame, Sequence, TrackingFigures, TrackingProtocol, evaluate};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    sequences: Vec<Vec<Given>>,
}

#[derive(Deserialize)]
struct Given {
    truth: Vec<u64>,
    predicted: Vec<u64>,
    /// A row for each true one.
    similarity: Vec<Vec<f64>>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let sequences = input.sequences.into_iter().enumerate().map(|(i, frames)| Sequence {
        name: format!("{i}"),
        frames: frames
            .into_iter()
            .map(|given| Frame {
                truth: given.truth,
                predicted: given.predicted,
                similarity: given.similarity.concat(),
            })
            .collect(),
    });
    let protocol = TrackingProtocol::named("mot_challenge").map_err(|e| e.to_string())?;
    let report =
        evaluate(&sequences.collect::<Vec<_>>(), &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = Figures::new();
    add("combined", &report.combined, &mut figures);
    for (name, each) in &report.per_sequence {
        add(name, each, &mut figures);
    }
    Ok(figures)
}

fn add(of: &str, found: &TrackingFigures, figures: &mut Figures) {
    let hota = &found.hota.per_alpha;
    let per_alpha = [
        ("HOTA", &hota.hota),
        ("DetA", &hota.deta),
        ("AssA", &hota.assa),
        ("DetRe", &hota.detre),
        ("DetPr", &hota.detpr),
        ("AssRe", &hota.assre),
        ("AssPr", &hota.asspr),
        ("LocA", &hota.loca),
        ("OWTA", &hota.owta),
    ];
    for (name, values) in per_alpha {
        for (i, value) in values.iter().enumerate() {
            figures.insert(format!("{of} {name} {i}"), *value);
        }
    }
    let (clear, identity) = (&found.clear, &found.identity);
    let single = [
        ("HOTA(0)", found.hota.hota_0),
        ("LocA(0)", found.hota.loca_0),
        ("HOTALocA(0)", found.hota.hotaloca_0),
        ("MOTA", clear.mota),
        ("MOTP", clear.motp),
        ("MODA", clear.moda),
        ("sMOTA", clear.smota),
        ("MOTAL", clear.motal),
        ("CLR_Re", clear.recall),
        ("CLR_Pr", clear.precision),
        ("CLR_F1", clear.f1),
        ("FP_per_frame", clear.fp_per_frame),
        ("MTR", clear.mtr),
        ("PTR", clear.ptr),
        ("MLR", clear.mlr),
        ("CLR_TP", clear.tp as f64),
        ("CLR_FN", clear.fn_ as f64),
        ("CLR_FP", clear.fp as f64),
        ("IDSW", clear.idsw as f64),
        ("MT", clear.mt as f64),
        ("PT", clear.pt as f64),
        ("ML", clear.ml as f64),
        ("Frag", clear.frag as f64),
        ("IDF1", identity.idf1),
        ("IDR", identity.idr),
        ("IDP", identity.idp),
        ("IDTP", identity.idtp as f64),
        ("IDFN", identity.idfn as f64),
        ("IDFP", identity.idfp as f64),
    ];
    for (name, value) in single {
        figures.insert(format!("{of} {name}"), value);
    }
}
