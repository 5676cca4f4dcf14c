//! Checks the colours of the page: they can be told apart with each kind of colour blindness, and
//! stand out from their ground.

const STYLE: &str = include_str!("page.css");

type Rgb = [f64; 3];

/// How people with full colour vision, protanopia, deuteranopia and tritanopia see linear RGB
/// (Machado, Oliveira and Fernandes, 2009, severity 1).
const VISIONS: [[Rgb; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
];

/// Returns a colour of the light (0) or the dark (1) page, in linear RGB.
fn colour(name: &str, theme: usize) -> Rgb {
    let place = STYLE.match_indices(&format!("--{name}: #")).nth(theme).unwrap();
    let hex = &STYLE[place.0 + place.1.len()..][..6];
    [0, 2, 4].map(|at| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn dot(a: Rgb, b: Rgb) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn luminance(colour: Rgb) -> f64 {
    dot([0.2126, 0.7152, 0.0722], colour)
}

/// Returns the colour in CIELAB, where distances are about as people see them.
fn lab(colour: Rgb, vision: [Rgb; 3]) -> Rgb {
    let seen = vision.map(|row| dot(row, colour).clamp(0.0, 1.0));
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f(dot([0.4124, 0.3576, 0.1805], seen) / 0.9505);
    let (y, z) = (f(luminance(seen)), f(dot([0.0193, 0.1192, 0.9505], seen) / 1.089));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn the_colour_blind_can_tell_all_colours_apart() {
    for theme in 0..2 {
        let colours: Vec<Rgb> = (0..6).map(|n| colour(&format!("k{n}"), theme)).collect();
        for (number, vision) in VISIONS.into_iter().enumerate() {
            for (a, first) in colours.iter().enumerate() {
                for (b, second) in colours.iter().enumerate().skip(a + 1) {
                    let (p, q) = (lab(*first, vision), lab(*second, vision));
                    let distance = p.iter().zip(q).map(|(p, q)| (p - q).powi(2)).sum::<f64>().sqrt();
                    assert!(distance > 25.0, "theme {theme}, vision {number}: k{a} and k{b} differ by {distance:.1}");
                }
            }
        }
    }
}

#[test]
fn all_colours_stand_out_from_the_panel() {
    for theme in 0..2 {
        let ground = luminance(colour("panel", theme)) + 0.05;
        for n in 0..6 {
            let bar = luminance(colour(&format!("k{n}"), theme)) + 0.05;
            // WCAG 2.2, success criterion 1.4.11.
            assert!(ground.max(bar) / ground.min(bar) >= 3.0, "theme {theme}, k{n}");
        }
    }
}
