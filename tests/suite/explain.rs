//! `explain` held against `check`: what it says of a rule is what a report says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::{Outcome, fixture, report, run};

fn schema(name: &str) -> jsonschema::Validator {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn explained(id: &str, which: &[&str]) -> Value {
    let arguments = [&["explain", id, "--format", "json"], which].concat();
    let outcome = run(&arguments);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{arguments:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn all_ids() -> Vec<String> {
    let list = run(&["rules", "list"]).stdout;
    list.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn ids_where(rules: &[Value], holds: impl Fn(&Value) -> bool) -> BTreeSet<&str> {
    rules.iter().filter(|rule| holds(rule)).map(|rule| rule["id"].as_str().unwrap()).collect()
}

#[test]
fn every_rule_is_explained_as_it_is_judged() {
    let validator = schema("explain-v1.json");
    for name in
        ["grub-overridden-by-cloud-dropin", "h100x8-nvswitch4-snp", "no-permission", "no-gpus"]
    {
        let host = fixture(name).display().to_string();
        let which = ["--host", &host];
        let report = report(&which);
        let judged = report["rules"].as_array().unwrap();
        for id in all_ids() {
            let about = format!("{id} on {name}");
            let said = explained(&id, &which);
            let errors: Vec<String> =
                validator.iter_errors(&said).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{about}");
            let Some(rule) = judged.iter().find(|rule| rule["id"] == *id) else {
                assert_eq!(said["here"]["judged"], false, "{about}");
                continue;
            };
            let here = &said["here"];
            assert_eq!(here["judged"], true, "{about}");
            assert_eq!(here["status"], rule["status"], "{about}");
            assert_eq!(here["blocked_by"], rule["blocked_by"], "{about}");
            assert_eq!(here["fix"], rule["fix"], "{about}");
            let waiting = ids_where(judged, |rule| {
                rule["blocked_by"].as_array().unwrap().iter().any(|root| *root == *id)
            });
            let told = said["consequences"].as_array().unwrap();
            assert_eq!(ids_where(told, |each| each["waits"] == true), waiting, "{about}");
            evidence(&said, rule, &about);
        }
    }
}

/// All that a report found is among what was looked at; of sets a report has only what decides.
fn evidence(said: &Value, rule: &Value, about: &str) {
    let looks = said["evidence"].as_array().unwrap();
    for finding in rule["findings"].as_array().unwrap() {
        if finding["role"] == "members" || finding["role"] == "tee" {
            continue;
        }
        let whole =
            matches!(finding["found"]["state"].as_str(), Some("known" | "absent" | "unreadable"));
        let same = |look: &&Value| {
            ["subject", "fact", "outcome", "wanted", "source", "note"]
                .iter()
                .all(|key| look[*key] == finding[*key])
                && (!whole || look["found"] == finding["found"])
        };
        assert!(looks.iter().any(|look| same(&look)), "{about}: {finding}");
    }
    assert!(!looks.is_empty() || said["members"]["judged"] == 0, "{about}: nothing was looked at");
}

#[test]
fn a_rule_that_is_not_judged_is_explained_with_the_reason() {
    let snp = fixture("h100x8-nvswitch4-snp").display().to_string();
    let early = fixture("kata-before-operator").display().to_string();
    let text = |arguments: &[&str]| {
        let outcome = run(arguments);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{arguments:?}");
        outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (arguments, says) in [
        (
            ["explain", "tdx-platform", "--host", &snp],
            "it is not about this host: it is only for tdx, and the host is judged for snp",
        ),
        (["explain", "companion-host-driver", "--host", &snp], "there is no companion function"),
        (
            ["explain", "gpu-bound-to-vfio", "--host", &early],
            "not judged: it belongs to stage operator, and the host is at stage",
        ),
        (
            ["explain", "snp-passthrough", "--host", &snp],
            "it is only about hosts whose kvm.sev-snp is false",
        ),
    ] {
        let text = text(&arguments);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_fact_is_explained_with_the_rules_that_ask_for_it() {
    let host = fixture("grub-overridden-by-cloud-dropin").display().to_string();
    let said = explained("iommu.state", &["--host", &host]);
    assert!(schema("explain-v1.json").is_valid(&said), "{said}");
    assert_eq!(said["found"]["value"], "off-in-kernel");
    assert_eq!(said["source"]["path"], "/sys/firmware/acpi/tables");
    assert!(said["rules"].as_array().unwrap().iter().any(|id| id == "iommu-active"), "{said}");
    assert_eq!(said["volatile"], Value::Null);
    let free = explained("memory.available", &["--host", &host]);
    assert_eq!(free["volatile"], "it follows what runs");
}

#[test]
fn what_does_not_exist_is_refused_with_the_nearest_name() {
    for (id, says) in [
        ("iommu-activ", "did you mean iommu-active?"),
        ("iommu.stat", "did you mean iommu.state?"),
        ("entirely-else", "`ccgpu-node rules list` lists the rules"),
        ("\u{1b}[31m", "\\x1b[31m"),
    ] {
        let Outcome { code, stdout, stderr } = run(&["explain", id]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{id}");
        assert!(stderr.contains(says), "{stderr}");
    }
    assert_eq!(run(&["explain", "iommu-active", "--host", "/none"]).code, 2);
}

#[test]
fn a_site_rule_is_explained_with_its_history() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("own.toml");
    let text = "schema = 1\n[[rule]]\nid = \"own-kernel\"\ntitle = \"the kernel is old\"\n\
        severity = \"info\"\nwhy = \"because\"\nsince = \"2025.1\"\n\
        changed = [{ version = \"2025.3\", what = \"asks for 6.17\" }]\n\
        expect = [{ fact = \"os.id\", equals = \"ubuntu\" }]\n";
    std::fs::write(&rules, text).unwrap();
    let host = fixture("no-gpus").display().to_string();
    let rules = rules.display().to_string();
    let which = ["--host", &host, "--rules", &rules];
    let said = explained("own-kernel", &which);
    assert_eq!(said["since"], "2025.1");
    assert_eq!(said["changed"][0]["what"], "asks for 6.17");
    let shown = run(&[&["explain", "own-kernel"], &which[..]].concat()).stdout;
    assert!(shown.contains("since     version 2025.1\n"), "{shown}");
    assert!(shown.contains("changed   in 2025.3: asks for 6.17\n"), "{shown}");
    std::fs::write(directory.path().join("own.toml"), text.replace("2025.3", "soon")).unwrap();
    let refused = run(&[&["explain", "own-kernel"], &which[..]].concat());
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("own.toml:8:"), "{}", refused.stderr);
    assert!(refused.stderr.contains("not `soon`"), "{}", refused.stderr);
}
