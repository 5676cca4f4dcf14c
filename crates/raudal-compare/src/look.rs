//! How the page draws the pieces of a job: a colour and a texture for each stage.

use super::timeline::{Chart, PieceKind, legend, look};
use std::fmt::Write as _;

/// The height of a bar, in pixels.
pub(super) const BAR: usize = 12;

/// The textures of stages. With the six colours of the style sheet, which has a number without a
/// common factor, each of thirty stages looks different. Neighbours differ in both, so that they
/// can be told apart without colour too.
const TEXTURES: [&str; 5] = [
    "",
    "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2",
    "M1.5,1.5 h1.5 v1.5 h-1.5 z M4.5,4.5 h1.5 v1.5 h-1.5 z",
    "M0.75,0 v6",
    "M0,0 l6,6 M0,6 l6,-6",
];
const COLOURS: usize = 6;

/// Defines the look of each stage once, for all charts.
pub(super) fn patterns(out: &mut String, chart: &Chart<'_>) {
    out.push_str("<svg class=\"patterns\" aria-hidden=\"true\"><defs>\n");
    for (kind, _) in legend(chart) {
        let PieceKind::Stage(stage) = kind else { continue };
        let look = look(stage);
        let (colour, texture) = (look % COLOURS, TEXTURES[look % TEXTURES.len()]);
        let _ = writeln!(
            out,
            "<pattern id=\"look{look}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <rect class=\"k{colour}\" width=\"6\" height=\"6\" /><path class=\"texture\" d=\"{texture}\" /></pattern>"
        );
    }
    out.push_str("</defs></svg>\n");
}

/// Returns the look of a piece, as an attribute, and its height. Waiting is drawn thinner.
pub(super) fn look_of(kind: PieceKind, chart: &Chart<'_>) -> (String, usize) {
    let class = |class: &str| format!("class=\"{class}\"");
    match kind {
        PieceKind::Queued => (class("idle"), 2),
        PieceKind::Pause => (class("pause"), 4),
        PieceKind::Running if chart.stages.is_empty() => (class("k0"), BAR),
        PieceKind::Running => (class("idle"), BAR / 2),
        PieceKind::Stage(stage) => {
            let waits = chart.waits.get(stage).is_some_and(|waits| *waits);
            (format!("fill=\"url(#look{})\"", look(stage)), if waits { BAR / 2 } else { BAR })
        }
    }
}
