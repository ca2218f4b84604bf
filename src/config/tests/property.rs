use proptest::prelude::*;

use super::*;

/// Places of a problem that lie in the text.
fn places_exist(bytes: &[u8], error: &ConfigError) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    prop_assert!(!error.faults.is_empty());
    for fault in &error.faults {
        let Fault::Wrong(problem) = fault else { panic!("{fault}") };
        let line =
            usize::try_from(problem.line).unwrap().checked_sub(1).and_then(|at| lines.get(at));
        prop_assert!(line.is_some(), "{problem}");
        let columns = line.map_or(0, |line| line.chars().count()) + 1;
        prop_assert!(
            (1..=columns).contains(&usize::try_from(problem.column).unwrap()),
            "{problem}"
        );
    }
    Ok(())
}

/// A line of a configuration, right or wrong.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(KEYS.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>()),
        "[a-z-]{1,9}",
    ];
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("\"10m\"".to_owned()),
        Just("\"/a\"".to_owned()),
        Just("[\"a\", 1, []]".to_owned()),
        Just("{ enabled = 1 }".to_owned()),
        "[0-9]{1,3}",
        "\"[^\"\\\\\n]{0,5}\"",
    ];
    let sections: Vec<String> =
        SECTIONS.iter().map(|section| format!("[{}]", section.name)).collect();
    prop_oneof![
        (name, value).prop_map(|(name, value)| format!("{name} = {value}")),
        prop::sample::select(sections),
        "\\PC{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_problem_has_a_place(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let files = [ConfigFile { name: "a".to_owned(), content: Ok(bytes.clone()) }];
        if let Err(error) = load(&files) {
            places_exist(&bytes, &error)?;
        }
    }

    #[test]
    fn no_lines_panic_and_every_problem_has_a_place(lines in prop::collection::vec(line(), 0..12)) {
        let text = lines.join("\n");
        match load_text(&text) {
            Err(error) => places_exist(text.as_bytes(), &error)?,
            Ok(loaded) => {
                let mut out = Vec::new();
                effective(&loaded, &mut out).unwrap();
                let again = load_text(std::str::from_utf8(&out).unwrap()).unwrap();
                prop_assert_eq!(again.config, loaded.config);
            }
        }
    }

    /// One wrong line among right ones is the one that is named.
    #[test]
    fn a_wrong_line_is_named_by_its_number(at in 0_usize..40) {
        let mut lines: Vec<&str> = include_str!("../../../packaging/config.toml").lines().collect();
        let at = lines.iter().position(|line| *line == "[check]").unwrap() + 1 + at;
        lines.insert(at, "  intervall = 1");
        let error = load_text(&lines.join("\r\n")).unwrap_err();
        let [Fault::Wrong(problem)] = error.faults.as_slice() else { panic!("{error}") };
        prop_assert_eq!((problem.line as usize, problem.column), (at + 1, 3));
    }
}
