//! Codes of states that are no more.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What became of a former state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Successor {
    /// One state, by its alpha-2 code.
    One(&'static str),
    /// Several; which one a person belongs to the code does not say.
    Several {
        /// The former state.
        state: &'static str,
        /// Alpha-2 codes.
        successors: &'static str,
    },
}

/// What became of the state that had `code` (upper-case alpha-2 or alpha-3, or three digits); `None` when the code is
/// no former one.
///
/// Withdrawn codes that a present state has taken over (`AI`, `BY`, `GE`, `SK`) mean the present state.
pub(crate) fn successor(code: &str) -> Option<Successor> {
    FORMER.get(code).copied()
}

/// By code. Every row of a register asks, so it is no walk through the lists.
static FORMER: LazyLock<HashMap<&str, Successor>> = LazyLock::new(|| {
    let one = ONE
        .iter()
        .map(|&(codes, successor)| (codes, Successor::One(successor)));
    let several = SEVERAL
        .iter()
        .map(|&(codes, state, successors)| (codes, Successor::Several { state, successors }));
    one.chain(several)
        .flat_map(|(codes, successor)| codes.split(' ').map(move |code| (code, successor)))
        .collect()
});

/// Former codes, and the one state that follows. ISO 3166-3 and the M49 codes no longer in use; `RKS` and `UNK` are the
/// passport codes of Kosovo and 412 its code in UN tables.
const ONE: &[(&str, &str)] = &[
    ("AFI", "DJ"),
    ("BU BUR", "MM"),
    ("BYS", "BY"),
    ("CT CTE 128", "KI"),
    ("DD DDR 278 280", "DE"),
    ("DY DHY", "BJ"),
    ("FX FXX 249", "FR"),
    ("HV HVO", "BF"),
    ("JT JTN 396 MI MID 488 PU PUS 849 WK WAK 872", "UM"),
    ("NH NHB", "VU"),
    ("NQ ATN 216", "AQ"),
    ("PZ PCZ 590 592", "PA"),
    ("RH RHO", "ZW"),
    ("RKS UNK 412", "XK"),
    ("ROM", "RO"),
    ("SKM", "IN"),
    ("TP TMP", "TL"),
    ("VD VDR", "VN"),
    ("YD YMD 720 886", "YE"),
    ("ZR ZAR", "CD"),
];

/// Former codes, the state, and the states that follow.
const SEVERAL: &[(&str, &str, &str)] = &[
    ("AN ANT 530 532", "Netherlands Antilles", "AW, BQ, CW, SX"),
    (
        "CS",
        "Czechoslovakia, or Serbia and Montenegro",
        "CZ, SK, or ME, RS, XK",
    ),
    ("CSK 200", "Czechoslovakia", "CZ, SK"),
    ("FQ", "French Southern and Antarctic Territories", "AQ, TF"),
    ("GEL", "Gilbert and Ellice Islands", "KI, TV"),
    ("NT NTZ 536", "Neutral Zone", "IQ, SA"),
    ("PC PCI 582", "Pacific Islands", "FM, MH, MP, PW"),
    ("SCG 891", "Serbia and Montenegro", "ME, RS, XK"),
    (
        "SU SUN 810",
        "Soviet Union",
        "AM, AZ, BY, EE, GE, KG, KZ, LT, LV, MD, RU, TJ, TM, UA, UZ",
    ),
    ("YU YUG 890", "Yugoslavia", "BA, HR, ME, MK, RS, SI, XK"),
    ("230", "Ethiopia before 1993", "ER, ET"),
    ("736", "Sudan before 2011", "SD, SS"),
];
