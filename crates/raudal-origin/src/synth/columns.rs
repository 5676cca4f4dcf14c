//! The 286 columns: their real names in their real order, and how a synthetic cell of each is
//! drawn.

use std::sync::OnceLock;

/// The columns before the first figure.
const KEYS: &str = "ENTIDAD,NOM_ENT,MUN,NOM_MUN,LOC,NOM_LOC,LONGITUD,LATITUD,ALTITUD";

/// The figures after `POBTOT`, `POBFEM` and `POBMAS`.
///
/// `X:50` is about 50 in a thousand people. `X~50` is three columns: that total, then its women
/// `X_F` and men `X_M`. `X^50` is the same with the endings `F` and `M`. `X=210` is a mean of about
/// 2.10. The shares are round numbers near those of the country; no other real figures are used.
const FIGURES: &str = "\
    P_0A2~50 P_3YMAS~950 P_5YMAS~910 P_12YMAS~785 P_15YMAS~730 P_18YMAS~675 P_3A5~55 P_6A11~110 P_8A14~130 \
    P_12A14~55 P_15A17~55 P_18A24~125 P_15A49_F:275 P_60YMAS~100 REL_H_M=men POB0_14:270 POB15_64:660 POB65_MAS:68 \
    P_0A4~87 P_5A9~92 P_10A14~91 P_15A19~93 P_20A24~89 P_25A29~83 P_30A34~75 P_35A39~70 P_40A44~65 P_45A49~59 \
    P_50A54~52 P_55A59~41 P_60A64~34 P_65A69~25 P_70A74~18 P_75A79~12 P_80A84~7 P_85YMAS~6 PROM_HNV=210 PNACENT~795 \
    PNACOE~195 PRES2015~865 PRESOE15~40 P3YM_HLI~2 P3HLINHE~1 P3HLI_HE~2 P5_HLI:2 P5_HLI_NHE:1 P5_HLI_HE:2 \
    PHOG_IND:4 POB_AFRO~16 PCON_DISC:50 PCDISC_MOT:24 PCDISC_VIS:21 PCDISC_LENG:7 PCDISC_AUD:9 PCDISC_MOT2:9 \
    PCDISC_MEN:9 PCON_LIMI:115 PCLIM_CSB:35 PCLIM_VIS:72 PCLIM_HACO:6 PCLIM_OAUD:21 PCLIM_MOT2:4 PCLIM_RE_CO:24 \
    PCLIM_PMEN:14 PSIND_LIM:825 P3A5_NOA~22 P6A11_NOA^3 P12A14NOA^5 P15A17A~39 P18A24A~42 P8A14AN~2 P15YM_AN~15 \
    P15YM_SE~18 P15PRI_IN^46 P15PRI_CO^86 P15SEC_IN^21 P15SEC_CO^200 P18YM_PB~330 GRAPROES=1040 GRAPROES_F=1030 \
    GRAPROES_M=1040 PEA~495 PE_INAC~285 POCUPADA~485 PDESOCUP~10 PSINDER:185 PDER_SS:815 PDER_IMSS:550 PDER_ISTE:65 \
    PDER_ISTEE:3 PAFIL_PDOM:2 PDER_SEGP:190 PDER_IMSSB:1 PAFIL_IPRIV:22 PAFIL_OTRAI:2 P12YM_SOLT:280 P12YM_CASA:415 \
    P12YM_SEPA:85 PCATOLICA:895 PRO_CRIEVA:51 POTRAS_REL:1 PSIN_RELIG:52 TOTHOG:270 HOGJEF_F:84 HOGJEF_M:185 \
    POBHOG:995 PHOGJEF_F:280 PHOGJEF_M:720 VIVTOT:325 TVIVHAB:270 TVIVPAR:320 VIVPAR_HAB:265 VIVPARH_CV:270 \
    TVIVPARHAB:270 VIVPAR_DES:42 VIVPAR_UT:12 OCUPVIVPAR:995 PROM_OCUP=occupants PRO_OCUP_C=90 VPH_PISODT:270 \
    VPH_PISOTI:2 VPH_1DOR:61 VPH_2YMASD:210 VPH_1CUART:4 VPH_2CUART:22 VPH_3YMASC:245 VPH_C_ELEC:270 VPH_S_ELEC:1 \
    VPH_AGUADV:270 VPH_AEASP:250 VPH_AGUAFV:1 VPH_TINACO:210 VPH_CISTER:105 VPH_EXCSA:270 VPH_LETR:1 VPH_DRENAJ:270 \
    VPH_NODREN:2 VPH_C_SERV:265 VPH_NDEAED:1 VPH_DSADMA:270 VPH_NDACMM:92 VPH_SNBIEN:1 VPH_REFRI:255 VPH_LAVAD:235 \
    VPH_HMICRO:165 VPH_AUTOM:170 VPH_MOTO:32 VPH_BICI:74 VPH_RADIO:220 VPH_TV:260 VPH_PC:125 VPH_TELEF:105 \
    VPH_CEL:250 VPH_INTER:165 VPH_STVP:120 VPH_SPMVPI:69 VPH_CVJ:49 VPH_SINRTV:4 VPH_SINLTC:11 VPH_SINCINT:90 \
    VPH_SINTIC:1";

/// How many figures a row has: all columns except the nine keys and `TAMLOC`.
pub(super) const FIGURES_LEN: usize = 276;

/// The positions of some figures.
pub(super) const POBTOT: usize = 0;
pub(super) const POBFEM: usize = 1;
pub(super) const POBMAS: usize = 2;

/// How a figure is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// The people of the locality, its women, its men.
    Population,
    /// A share of the people, in 65,536ths.
    Share(u32),
    /// The same, and the next two figures are its women and its men.
    Split(u32),
    /// The second or third figure of a split.
    Part,
    /// Inhabited dwellings, which the plan gives, and all dwellings. They are never confidential.
    Inhabited,
    AllDwellings,
    /// A mean of about this many hundredths, which cannot be summed.
    Mean(u32),
    /// Men for each hundred women.
    MenPerWomen,
    /// People for each inhabited dwelling.
    Occupants,
}

impl Draw {
    /// Whether the figure is a number with two decimals, kept in hundredths.
    pub(super) fn is_mean(self) -> bool {
        matches!(self, Self::Mean(_) | Self::MenPerWomen | Self::Occupants)
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) draw: Draw,
    /// Padded with spaces on the left to nine characters, as INEGI writes `POB_AFRO`.
    pub(super) padded: bool,
}

/// The figures, in the order of the columns.
pub(super) fn figures() -> &'static [Figure] {
    static ALL: OnceLock<Vec<Figure>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::with_capacity(FIGURES_LEN);
        for name in ["POBTOT", "POBFEM", "POBMAS"] {
            all.push(figure(name.to_owned(), Draw::Population));
        }
        for word in FIGURES.split_ascii_whitespace() {
            parse(word, &mut all);
        }
        all
    })
}

fn figure(name: String, draw: Draw) -> Figure {
    let padded = name.starts_with("POB_AFRO");
    Figure { name, draw, padded }
}

/// Reads one word of [`FIGURES`]. The tests read all of them, so it cannot panic.
fn parse(word: &str, all: &mut Vec<Figure>) {
    let at = word.find([':', '~', '^', '=']).expect("a mark");
    let (name, value) = (&word[..at], &word[at + 1..]);
    // In 65,536ths, so that drawing is a multiplication and a shift.
    let share = || value.parse::<u32>().expect("a share") * 65_536 / 1000;
    let draw = match (name, &word[at..=at], value) {
        ("TVIVHAB", ..) => Draw::Inhabited,
        ("VIVTOT", ..) => Draw::AllDwellings,
        (_, "=", "men") => Draw::MenPerWomen,
        (_, "=", "occupants") => Draw::Occupants,
        (_, "=", _) => Draw::Mean(value.parse().expect("a mean")),
        (_, ":", _) => Draw::Share(share()),
        _ => Draw::Split(share()),
    };
    all.push(figure(name.to_owned(), draw));
    if let Draw::Split(_) = draw {
        let joint = if word[at..].starts_with('~') { "_" } else { "" };
        for sex in ["F", "M"] {
            all.push(figure(format!("{name}{joint}{sex}"), Draw::Part));
        }
    }
}

/// The header line, without a line end.
pub(super) fn header() -> String {
    let mut header = String::from(KEYS);
    for figure in figures() {
        header.push(',');
        header.push_str(&figure.name);
    }
    header.push_str(",TAMLOC");
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_286_columns_with_their_real_names() {
        let header = header();
        let names: Vec<&str> = header.split(',').collect();
        assert_eq!(names.len(), 286);
        assert_eq!(figures().len(), FIGURES_LEN);
        let distinct: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), 286);
        for (at, name) in [(9, "POBTOT"), (12, "P_0A2"), (13, "P_0A2_F"), (159, "P6A11_NOAF"), (285, "TAMLOC")] {
            assert_eq!(names[at], name);
        }
        // The digest of the header of INEGI's file for Aguascalientes.
        assert_eq!(crc32fast::hash(header.as_bytes()), 0x8ED5_AA1F);
    }

    #[test]
    fn the_marks_say_what_is_drawn() {
        let of = |name: &str| figures().iter().find(|f| f.name == name).expect("a figure");
        assert_eq!(of("REL_H_M").draw, Draw::MenPerWomen);
        assert_eq!(of("GRAPROES_F").draw, Draw::Mean(1030));
        assert_eq!(of("TVIVHAB").draw, Draw::Inhabited);
        assert!(of("POB_AFRO_M").padded && !of("POBTOT").padded);
        assert_eq!(figures()[POBMAS].name, "POBMAS");
    }
}
