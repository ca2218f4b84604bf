//! Random texts of the kind that hosts have: whatever they hold, an edit does only what it should.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::table::{ADD, REMOVE, change, contradiction, dash, edited, host};
use super::{ArgumentChange, Defaults};

const TOKENS: &[&str] = &[
    "quiet",
    "splash",
    "a=1",
    "b.c=x,y",
    "iommu=pt",
    "iommu=pt",
    "iommu=pt,strict",
    "iommu=1",
    "intel_iommu=on",
    "intel-iommu=on",
    "intel_iommu=off",
    "intel_iommu=on,sm_on",
    "amd_iommu=on",
    "nohibernate",
    "xiommu=pt",
    "r=U=1-2",
];

fn token() -> impl Strategy<Value = String> {
    prop::sample::select(TOKENS).prop_map(str::to_owned)
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(" "), 1 => Just("  "), 1 => Just("\t")]
}

fn tokens() -> impl Strategy<Value = String> {
    (prop::collection::vec((token(), blank()), 0..5), any::<bool>()).prop_map(|(list, trim)| {
        let text: String = list.into_iter().map(|(token, blank)| token + blank).collect();
        if trim { text.trim_end().to_owned() } else { text }
    })
}

/// A value in one of the styles of quoting, for a variable of this name.
fn value(name: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => tokens().prop_map(|text| format!("\"{text}\"")),
        4 => tokens().prop_map(|text| format!("'{text}'")),
        2 => token(),
        1 => Just(String::new()),
        1 => tokens().prop_map(|text| text.replace([' ', '\t'], "\\ ")),
        2 => (tokens(), tokens()).prop_map(|(a, b)| format!("\"{a}\"' {b}'")),
        1 => (tokens(), tokens()).prop_map(|(a, b)| format!("\"{a} \\\n{b}\"")),
        1 => (tokens(), tokens()).prop_map(|(a, b)| format!("\"{a} o=\\\"x y\\\" {b}\"")),
        1 => (tokens(), tokens()).prop_map(|(a, b)| format!("\"{a}\"'{b}'")),
        4 => tokens().prop_map(move |text| format!("\"${name} {text}\"")),
        2 => tokens().prop_map(move |text| format!("\"${{{name}:+${name} }}{text}\"")),
        1 => tokens().prop_map(move |text| format!("${name}\" {text}\"")),
        1 => tokens().prop_map(|text| format!("\"{text} ${{OTHER}}\"")),
        1 => tokens().prop_map(|text| format!("\"{text} \\$boot\"")),
        1 => tokens().prop_map(|text| format!("\"{text} $(echo x)\"")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let assignment = prop_oneof![
        value(super::LINUX).prop_map(|value| format!("GRUB_CMDLINE_LINUX={value}")),
        value(super::DEFAULT).prop_map(|value| format!("GRUB_CMDLINE_LINUX_DEFAULT={value}")),
        value(super::DEFAULT).prop_map(|value| format!("GRUB_CMDLINE_LINUX_DEFAULT={value}")),
    ];
    prop_oneof![
        8 => assignment.prop_flat_map(|text| prop_oneof![
            6 => Just(text.clone()),
            1 => Just(format!("export {text}")),
            1 => Just(format!("{text} # iommu=pt\"")),
            1 => Just(format!("  {text}; GRUB_TIMEOUT=1")),
            1 => Just(format!("GRUB_TIMEOUT=1 {text}")),
            1 => Just(format!("if true; then {text}; fi")),
        ]),
        1 => tokens().prop_map(|text| format!("# GRUB_CMDLINE_LINUX=\"{text}\"")),
        1 => Just(String::new()),
        1 => tokens().prop_map(|text| format!("OTHER='{text}'")),
        1 => Just("GRUB_CMDLINE_LINUX_RECOVERY=\"$GRUB_CMDLINE_LINUX\"".to_owned()),
    ]
}

fn text(lines: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![8 => Just("\n"), 1 => Just("\r\n")];
    (prop::collection::vec(line(), lines), ends, prop::bool::weighted(0.8)).prop_map(
        |(lines, end, whole)| {
            let mut text = lines.join(end);
            if whole && !text.is_empty() {
                text.push_str(end);
            }
            text.into_bytes()
        },
    )
}

fn defaults() -> impl Strategy<Value = Defaults> {
    let names = ["50-cloud.cfg", "99-z.cfg", "kdump.cfg", "zz-z.cfg"];
    let drop_ins = prop::sample::subsequence(names.to_vec(), 0..3).prop_flat_map(|names| {
        names.into_iter().map(|n| (Just(n), text(0..3))).collect::<Vec<_>>()
    });
    (text(0..5), prop_oneof![Just(Vec::new()).boxed(), drop_ins.boxed()], any::<bool>()).prop_map(
        |(main, drop_ins, reads)| {
            let list: Vec<(&str, &[u8])> =
                drop_ins.iter().map(|(name, text)| (*name, text.as_slice())).collect();
            host(&main, &list, reads || !list.is_empty())
        },
    )
}

fn changes() -> impl Strategy<Value = ArgumentChange> {
    prop::sample::select(vec![
        change(&[ADD], &[]),
        change(&[], &[REMOVE]),
        change(&[ADD], &[REMOVE]),
        change(&["k_x.y=1", ADD], &[REMOVE, "amd_iommu=on"]),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `edited` checks: the second edit is empty, removing undoes adding, nothing else is touched.
    #[test]
    fn an_edit_does_what_it_should_and_nothing_else(host in defaults(), change in changes()) {
        let _ = edited(&host, &change);
    }

    #[test]
    fn no_bytes_make_it_panic(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..3),
        change in changes(),
    ) {
        let mut main = b"GRUB_CMDLINE_LINUX=\"iommu=pt ".to_vec();
        main.extend_from_slice(&texts[0]);
        let drop_ins: Vec<(&str, &[u8])> =
            texts.iter().skip(1).map(|text| ("x.cfg", text.as_slice())).collect();
        let _ = super::edit(&host(&main, &drop_ins, true), &change);
    }
}

/// All hosts in two processes: one for what stood there, one for what stands there now.
#[test]
fn dash_agrees_with_every_edit_of_random_texts() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut all, mut results) = (0, Vec::new());
    for _ in 0..800 {
        let host = defaults().new_tree(&mut runner).unwrap().current();
        for change in [change(&[ADD], &[]), change(&[], &[REMOVE]), change(&[ADD], &[REMOVE])] {
            all += 1;
            if let Ok((changes, after)) = edited(&host, &change)
                && !changes.is_empty()
            {
                results.push((host.clone(), after, change));
            }
        }
    }
    println!("{} of {all} edited", results.len());
    assert!(results.len() > all / 3, "only {} of {all}", results.len());
    let before: Vec<&Defaults> = results.iter().map(|(before, ..)| before).collect();
    let after: Vec<&Defaults> = results.iter().map(|(_, after, _)| after).collect();
    let (Some(before), Some(after)) = (dash(&before), dash(&after)) else { return };
    for ((host, edited, change), (before, after)) in results.iter().zip(before.iter().zip(&after)) {
        let wrong = contradiction(before, after, change);
        assert_eq!(wrong, None, "{change:?} {host:#?} {edited:#?}");
    }
}
