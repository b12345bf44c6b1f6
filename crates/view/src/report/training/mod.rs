//! One self-contained HTML file about a training, or several side by side: losses, scores on held-out data
//! beside trivial answers, learning rate and speed.

mod curve;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::{fact, page};
use curve::{mean_curve, plain_curve};
use words::{number, words};

/// What a page about trainings shows. The caller reads it from their folders.
#[derive(Debug, Clone)]
pub struct TrainingInput {
    /// What they have in common.
    pub title: String,
    /// At least one; the first is what others are compared with.
    pub runs: Vec<TrainingRun>,
    /// Settings that are not the same in all runs: name, and the value in each run.
    pub differing: Vec<(String, Vec<String>)>,
    /// Whether less of a score, `task.score`, is better.
    pub is_error: fn(&str) -> bool,
}

/// One training.
#[derive(Debug, Clone, Default)]
pub struct TrainingRun {
    /// Its folder's name.
    pub name: String,
    /// What it was made from and on, by name.
    pub facts: Vec<(String, String)>,
    /// Numbers over the steps, in ascending order of steps.
    pub points: Vec<RecordedNumber>,
    /// What trivial answers reach: by score, then by answer.
    pub baselines: BTreeMap<String, BTreeMap<String, f64>>,
    /// Its settings as TOML.
    pub settings: String,
}

/// A number of a run after a step.
#[derive(Debug, Clone)]
pub struct RecordedNumber {
    /// Steps that were done.
    pub step: u64,
    /// `train` or `val`.
    pub split: String,
    /// What it is: `loss`, a task, `rate`, ..., or a score, `task.score`.
    pub name: String,
    /// How much.
    pub value: f64,
}

/// Numbers of the loop itself; other numbers of `train` are the losses of tasks.
const LOOP: [(&str, &str); 4] = [
    ("rate", "learning rate"),
    ("samples_per_s", "samples a second"),
    ("data_wait_share", "share of the time waiting for data"),
    ("gradient", "norm of the gradient, before clipping"),
];

/// Style classes that give runs their colours; more runs than these share them.
const COLOURS: [&str; 6] = ["run0", "run1", "run2", "run3", "run4", "run5"];

/// The page, as the bytes of one file.
pub fn render_training(input: &TrainingInput) -> String {
    let sections = [
        ("summary", "At a glance"),
        ("scores", "Held-out scores"),
        ("losses", "Losses"),
        ("speed", "Rate and speed"),
        ("settings", "Settings"),
    ];
    let body = html! {
        header {
            p.kind { "Ommatidia · " @if input.runs.len() > 1 { "trainings compared" } @else { "training" } }
            h1 { (input.title) }
            @if let [run] = &input.runs[..] {
                dl { @for (name, value) in &run.facts { (fact(name, value)) } }
            }
            nav { @for (id, name) in sections { a href=(format!("#{id}")) { (name) } " " } }
        }
        main {
            (summary(input))
            (scores(input))
            (losses(input))
            (speed(input))
            (settings(input))
        }
    };
    page(&input.title, &body)
}

impl TrainingRun {
    fn named<'a>(
        &'a self,
        split: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a RecordedNumber> {
        self.points.iter().filter(move |point| point.split == split && point.name == name)
    }

    fn last(&self, name: &str) -> Option<f64> {
        self.named("val", name).last().map(|point| point.value)
    }

    fn pairs(&self, split: &str, name: &str) -> Vec<[f64; 2]> {
        self.named(split, name).map(|point| [point.step as f64, point.value]).collect()
    }

    /// The trivial answer that is best at a score.
    fn best_baseline(&self, score: &str, is_error: bool) -> Option<(&str, f64)> {
        let answers = self.baselines.get(score)?.iter().map(|(name, value)| (&**name, *value));
        let ahead = |a: f64, b: f64| if is_error { a < b } else { a > b };
        answers.reduce(|best, next| if ahead(next.1, best.1) { next } else { best })
    }
}

/// Names of a split in the order in which they first appear over all runs.
fn names<'a>(input: &'a TrainingInput, split: &str) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let points = input.runs.iter().flat_map(|run| &run.points);
    let of = points.filter(|point| point.split == split).map(|point| &*point.name);
    of.filter(|name| seen.insert(*name)).collect()
}

/// Scores by task, each task's first being the one that counts. Scores of single classes come apart.
fn by_task(input: &TrainingInput) -> Vec<(&str, Vec<&str>, Vec<&str>)> {
    let mut tasks: Vec<(&str, Vec<&str>, Vec<&str>)> = Vec::new();
    for name in names(input, "val") {
        let (task, score) = name.split_once('.').unwrap_or(("", name));
        let found = tasks.iter().position(|(known, ..)| *known == task);
        let index = found.unwrap_or_else(|| {
            tasks.push((task, Vec::new(), Vec::new()));
            tasks.len() - 1
        });
        let of_class = ["iou_class_", "ap_class_"].iter().any(|start| score.starts_with(start));
        if of_class { tasks[index].2.push(name) } else { tasks[index].1.push(name) }
    }
    tasks
}

fn colour(run: usize) -> &'static str {
    COLOURS[run % COLOURS.len()]
}

/// Which line is which run.
fn key(input: &TrainingInput) -> Markup {
    html! {
        @if input.runs.len() > 1 {
            p.key {
                @for (index, run) in input.runs.iter().enumerate() {
                    span.swatch.(colour(index)) {} (run.name)
                }
            }
        }
    }
}

/// The score that counts of each task, beside the best trivial answer.
fn summary(input: &TrainingInput) -> Markup {
    let tasks = by_task(input);
    html! {
        section #summary {
            h2 { "At a glance" }
            @if tasks.is_empty() { p.none { "Nothing was measured on held-out data yet." } } @else {
                table {
                    thead { tr { th { "task" } th { "score on held-out data" }
                        @for (index, run) in input.runs.iter().enumerate() {
                            th.number { @if input.runs.len() > 1 { span.swatch.(colour(index)) {} (run.name) } @else { "network" } }
                        }
                        th.number { "best trivial answer" } th { "" } } }
                    tbody { @for (task, scores, classes) in &tasks {
                        @if let Some(score) = scores.first().or(classes.first()) { (summary_row(input, task, score)) }
                    } }
                }
                p.note { "A trivial answer never looks at a picture: it is made from the labels of the training data alone, \
                    with the thresholds that serve it best, and is measured on the same held-out frames by the same code." }
            }
        }
    }
}

fn summary_row(input: &TrainingInput, task: &str, score: &str) -> Markup {
    let error = (input.is_error)(score);
    let baseline = input.runs.iter().find_map(|run| run.best_baseline(score, error));
    let ahead = |run: &TrainingRun| {
        let (value, base) = (run.last(score)?, run.best_baseline(score, error)?.1);
        Some(if error { value < base } else { value > base })
    };
    let beaten: Vec<bool> = input.runs.iter().filter_map(ahead).collect();
    html! {
        tr { td { b { (task.replace('_', " ")) } } td { (words(score)) }
            @for run in &input.runs {
                td.number { @if let Some(value) = run.last(score) { (number(value)) } @else { "—" } }
            }
            td.number { @if let Some((name, value)) = baseline { (number(value)) " " span.unit { (name.replace('_', " ")) } } @else { "—" } }
            td { @match (beaten.len(), beaten.iter().filter(|ahead| **ahead).count()) {
                (0, _) => "",
                (1, 1) => span.good { "beaten" },
                (_, 0) => span.warn { "not beaten" },
                (all, ahead) => span.(if ahead == all { "good" } else { "warn" }) { "beaten by " (ahead) " of " (all) },
            } }
        }
    }
}

fn scores(input: &TrainingInput) -> Markup {
    html! {
        section #scores {
            h2 { "Held-out scores" }
            (key(input))
            @for (task, scores, classes) in by_task(input) {
                h3 { (task.replace('_', " ")) }
                div.profiles { @for score in &scores { (score_chart(input, score)) } }
                @if !classes.is_empty() {
                    details { summary { (classes.len()) " scores of single classes" } (table_of(input, &classes)) }
                }
            }
        }
    }
}

fn score_chart(input: &TrainingInput, score: &str) -> Markup {
    let error = (input.is_error)(score);
    let line = |(index, run): (usize, &TrainingRun)| Series {
        class: colour(index),
        name: "",
        points: run.pairs("val", score),
    };
    let series: Vec<Series> = input.runs.iter().enumerate().map(line).collect();
    let answers = input.runs.iter().find_map(|run| run.baselines.get(score));
    let levels: Vec<f64> = answers.into_iter().flatten().map(|(_, value)| *value).collect();
    let values = series.iter().flat_map(|s| s.points.iter().map(|p| p[1])).chain(levels.clone());
    let largest = values.filter(|value| value.is_finite()).fold(0.0, |a: f64, b| a.max(b.abs()));
    let chart = Chart {
        x_label: "steps",
        y_label: if error { "less is better" } else { "more is better" },
        series: &series,
        levels: &levels,
        true_scale: false,
        mark_ends: false,
        mark_points: true,
        width: 520.0,
        least_span: (0.2 * largest).max(1e-3),
    };
    let named =
        |(name, value): (&String, &f64)| format!("{} {}", name.replace('_', " "), number(*value));
    let legend: Vec<String> = answers.into_iter().flatten().map(named).collect();
    html! {
        figure {
            figcaption { b { (words(score)) }
                @if let [run] = &input.runs[..] { @if let Some(value) = run.last(score) { " · network " (number(value)) } }
                @if !legend.is_empty() { " · dashed: " (legend.join(", ")) }
            }
            (chart.markup())
        }
    }
}

fn table_of(input: &TrainingInput, scores: &[&str]) -> Markup {
    html! {
        table {
            thead { tr { th { "class" } @for run in &input.runs { th.number { (run.name) } } th.number { "best trivial answer" } } }
            tbody { @for score in scores {
                @let base = input.runs.iter().find_map(|run| run.best_baseline(score, (input.is_error)(score)));
                tr { td { (words(score)) }
                    @for run in &input.runs { td.number { @if let Some(value) = run.last(score) { (number(value)) } @else { "—" } } }
                    td.number { @if let Some((_, value)) = base { (number(value)) } @else { "—" } } }
            } }
        }
    }
}

fn losses(input: &TrainingInput) -> Markup {
    let of_tasks = names(input, "train")
        .into_iter()
        .filter(|name| *name != "loss" && LOOP.iter().all(|(known, _)| known != name));
    let all: Vec<&str> = std::iter::once("loss").chain(of_tasks).collect();
    html! {
        section #losses {
            h2 { "Losses" }
            (key(input))
            p.note { "Thin: means over short stretches of steps; thick: over long ones. Axes leave out the highest of the first steps." }
            div.profiles { @for name in all {
                (train_chart(input, name, if name == "loss" { "all tasks together, as weighed" } else { name }, true))
            } }
        }
    }
}

fn speed(input: &TrainingInput) -> Markup {
    html! {
        section #speed {
            h2 { "Rate and speed" }
            (key(input))
            div.profiles { @for (name, title) in LOOP { (train_chart(input, name, title, name == "gradient")) } }
        }
    }
}

/// A number of the training; noisy ones also smoothed, with a line for each.
fn train_chart(input: &TrainingInput, name: &str, title: &str, noisy: bool) -> Markup {
    let mut series = Vec::new();
    for (index, run) in input.runs.iter().enumerate() {
        let pairs = run.pairs("train", name);
        if noisy {
            series.push(Series { class: thin(index), name: "", points: mean_curve(&pairs, 240) });
            series.push(Series { class: colour(index), name: "", points: mean_curve(&pairs, 32) });
        } else {
            series.push(Series {
                class: colour(index),
                name: "",
                points: plain_curve(&pairs, 400),
            });
        }
    }
    if noisy {
        curve::cut_off(&mut series);
    }
    let chart = Chart {
        x_label: "steps",
        y_label: "",
        series: &series,
        levels: &[],
        true_scale: false,
        mark_ends: false,
        mark_points: false,
        width: 520.0,
        least_span: if name == "data_wait_share" { 0.1 } else { 1e-6 },
    };
    html! { figure { figcaption { b { (title.replace('_', " ")) } } (chart.markup()) } }
}

fn thin(run: usize) -> &'static str {
    ["run0 thin", "run1 thin", "run2 thin", "run3 thin", "run4 thin", "run5 thin"]
        [run % COLOURS.len()]
}

fn settings(input: &TrainingInput) -> Markup {
    html! {
        section #settings {
            h2 { "Settings" }
            @if input.runs.len() > 1 {
                @if input.differing.is_empty() { p.none { "All runs have the same settings." } } @else {
                    table {
                        thead { tr { th { "setting" } @for (index, run) in input.runs.iter().enumerate() {
                            th { span.swatch.(colour(index)) {} (run.name) } } } }
                        tbody { @for (name, values) in &input.differing {
                            tr { td { code { (name) } } @for value in values { td { code { (value) } } } }
                        } }
                    }
                }
                @for run in &input.runs {
                    h3 { (run.name) }
                    dl { @for (name, value) in &run.facts { (fact(name, value)) } }
                }
            }
            @for run in &input.runs {
                details { summary { "All settings of " b { (run.name) } } pre { (run.settings) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, last: f64) -> TrainingRun {
        let mut points = Vec::new();
        let mut add = |step, split: &str, name: &str, value| {
            let (split, name) = (split.to_owned(), name.to_owned());
            points.push(RecordedNumber { step, split, name, value });
        };
        for step in 1..=50 {
            add(step, "train", "loss", 9.0 / step as f64);
            add(step, "train", "occupancy", if step == 3 { f64::NAN } else { 5.0 });
            add(step, "train", "rate", 1e-3);
        }
        add(25, "val", "occupancy.miou", 0.1);
        add(50, "val", "occupancy.miou", last);
        add(50, "val", "occupancy.iou_class_car", 0.5);
        let answers = [("prior_map".to_owned(), 0.2), ("always_empty".to_owned(), 0.0)];
        let baselines = [("occupancy.miou".to_owned(), answers.into())].into();
        TrainingRun { name: name.to_owned(), points, baselines, ..TrainingRun::default() }
    }

    fn page(runs: Vec<TrainingRun>) -> String {
        let differing = vec![("steps".to_owned(), vec!["1".to_owned(); runs.len()])];
        let title = "nano".to_owned();
        render_training(&TrainingInput { title, runs, differing, is_error: |_| false })
    }

    #[test]
    fn a_training_is_shown_beside_what_it_must_beat() {
        let text = page(vec![run("a", 0.3)]);
        assert!(text.contains(">beaten<") && text.contains("prior map 0.200"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.contains("1 scores of single classes") && text.contains(">car<"), "{text}");
        assert!(page(vec![run("a", 0.15)]).contains(">not beaten<"));
    }

    #[test]
    fn several_trainings_share_their_charts() {
        let text = page(vec![run("a", 0.3), run("b & c", 0.4)]);
        assert!(text.contains("trainings compared") && text.contains("b &amp; c"), "{text}");
        for line in ["line run0", "line run1", "line run1 thin"] {
            assert!(text.contains(&format!("class=\"{line}\"")), "{line}");
        }
    }

    #[test]
    fn nothing_measured_is_still_a_page() {
        let text = page(vec![TrainingRun::default()]);
        assert!(text.contains("Nothing was measured") && !text.contains("NaN"), "{text}");
    }
}
