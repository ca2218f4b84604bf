//! The configuration in up to three files: it is refused with places that exist, or it is printed and read
//! back the same.
#![no_main]

use std::sync::LazyLock;

use ccgpu_node::config::{ConfigFile, Fault, load};
use ccgpu_node::report::configuration as show;
use ccgpu_node::report::human::Look;
use ccgpu_node::rules::{Catalogue, RuleSet};
use ccgpu_node_fuzz::shown;
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::built_in(&Catalogue::built_in()).expect("the built-in rules load"));

fuzz_target!(|bytes: &[u8]| {
    let parts = bytes.splitn(3, |byte| *byte == 0).enumerate();
    let files: Vec<ConfigFile> = parts
        .map(|(place, part)| ConfigFile {
            name: format!("{place}.toml"),
            content: Ok(part.to_vec()),
        })
        .collect();
    let look = Look { colour: false, width: 80, verbose: true };
    let loaded = load(&files);
    shown(|out| show::lint(&files, loaded.as_ref(), look, out));
    match loaded {
        Err(error) => places_exist(&files, &error.faults),
        Ok(loaded) => {
            let printed = shown(|out| show::effective(&loaded, out));
            let file =
                ConfigFile { name: "printed.toml".to_owned(), content: Ok(printed.into_bytes()) };
            let again = load(&[file]).expect("what is printed can be read");
            assert_eq!(again.config, loaded.config);
            if let Err(error) = loaded.check_against(&RULES) {
                places_exist(&files, &error.faults);
            }
        }
    }
});

fn places_exist(files: &[ConfigFile], faults: &[Fault]) {
    assert!(!faults.is_empty());
    for fault in faults {
        let Fault::Wrong(problem) = fault else { panic!("{fault}") };
        let file = files.iter().find(|file| *file.name == *problem.file).expect("a file of these");
        let lines =
            file.content.as_ref().map_or(0, |bytes| bytes.split(|byte| *byte == b'\n').count());
        assert!(problem.line >= 1 && problem.line as usize <= lines, "{problem}");
        assert!(problem.column >= 1, "{problem}");
    }
}
