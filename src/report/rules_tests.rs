use super::*;
use crate::rules::testing::{catalogue, rule, rules};

const RULES: &str = r#"
[[rule]]
id = "iommu-active"
title = "the kernel does not use the IOMMU"
severity = "required"
group = "iommu"
why = "VFIO can only assign a device through an IOMMU group."
docs = ["https://example.org/iommu"]
expect = [{ fact = "integer.five", at-least = 1 }]
advice = [
  { when = [{ fact = "cpu.vendor", equals = "amd" }], text = "Turn on AMD-Vi.", command = "dmesg | grep AMD-Vi" },
  { text = "Turn on the IOMMU." },
]
resolved-by = "reboot"

[[rule]]
id = "gpu-driver"
title = "a GPU is held by a host driver"
good = "every GPU is held by vfio-pci"
severity = "recommended"
stage = "kata"
tee = ["snp", "tdx"]
group = "drivers"
why = "A host driver that owns the GPU keeps vfio-pci from binding it, and more words to fill the line."
symptom = "vfio: no group"
needs = ["iommu-active"]
applies = [{ fact = "cpu.vendor", one-of = ["amd", "intel"] }, { fact = "bool.true", equals = true }]
for-each = "gpus.ten"
where = [{ fact = "group", at-least = 0 }]

[[rule.case]]
when = [{ fact = "version.new", at-least = "1.30" }]
expect = [{ fact = "driver", equals = "vfio-pci", absent-is = "not-applicable" }]

[[override]]
rule = "gpu-driver"
severity = "info"
reason = "we bind by hand"
"#;

fn text(render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    render(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_list_has_a_line_for_each_rule() {
    let rules = rules(
        &(RULES.to_owned()
            + &rule("off", "expect = [{ fact = \"bool.true\", equals = true }]")
            + "[[override]]\nrule = \"off\"\ndisable = true\nreason = \"r\""),
    );
    insta::assert_snapshot!(text(|out| list(&rules, Look::default(), out)), @r#"
    ID            SEVERITY     STAGE     TEE      TITLE
    iommu-active  required     host      any      the kernel does not use the IOMMU
    gpu-driver    info         kata      snp,tdx  a GPU is held by a host driver
    off           disabled     host      any      off is wrong
    "#);
}

#[test]
fn a_rule_in_full() {
    let rules = rules(RULES);
    let one = |id: &str| text(|out| show(&rules, rules.get(id).unwrap(), Look::default(), out));
    insta::assert_snapshot!(one("iommu-active") + "\n" + &one("gpu-driver"), @r#"
    iommu-active: the kernel does not use the IOMMU
      class     required, stage host, tee any, group iommu
      expects   integer.five is at least 1
      why       VFIO can only assign a device through an IOMMU group.
      do        when cpu.vendor is amd
                Turn on AMD-Vi.
                $ dmesg | grep AMD-Vi
      do        Turn on the IOMMU.
      a failure goes away with a reboot
      blocks    gpu-driver
      docs      https://example.org/iommu
      defined   test.toml:3

    gpu-driver: a GPU is held by a host driver
      class     info, stage kata, tee snp,tdx, group drivers
      passes if every GPU is held by vfio-pci
      about     hosts where cpu.vendor is one of amd, intel
                and bool.true is true
      for       each GPU of gpus.ten: The GPUs.
                if group is at least 0
      case      when version.new is at least 1.30
      expects   driver is vfio-pci, if it is there
      why       A host driver that owns the GPU keeps vfio-pci from binding it, and
                more words to fill the line.
      leads to  vfio: no group
      needs     iommu-active
      defined   test.toml:17
      site      info instead of recommended (test.toml:37): we bind by hand
    "#);
}

#[test]
fn problems_are_shown_with_their_lines() {
    let wrong = "schema = 1\n[[rule]]\nid = \"x\"\n\ttitle = \"\u{e9}\u{e9}\"\nseverity = \"requird\"\nwhy = \"w\"\nexpect = [{ fact = \"bool.ture\", equals = true }]\n";
    let long = format!("schema = {}2 # \x1b[31m", " ".repeat(200));
    let files =
        [RuleFile { name: "a.toml", text: wrong }, RuleFile { name: "b.toml", text: &long }];
    let error = RuleSet::of(&catalogue(), &files).unwrap_err();
    insta::assert_snapshot!(text(|out| lint(&files, Err(&error), Look::default(), out)), @r#"
    a.toml:5:12: unknown severity `requird`; did you mean `required`?
         5 | severity = "requird"
                        ^
    a.toml:7:20: unknown fact `bool.ture`; did you mean `bool.true`?
         7 | expect = [{ fact = "bool.ture", equals = true }]
                                ^
    b.toml:1:210: `schema` must be 1, the only one that this version knows
         1 |                                     2 # \x1b[31m
                                                 ^
    b.toml:1:214: invalid comment character, expected printable characters
         1 |                                 2 # \x1b[31m
                                                 ^

    4 problems
    "#);
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let whole = format!("schema = 1\n{RULES}");
    let files = [RuleFile { name: "a.toml", text: &whole }];
    let set = RuleSet::of(&catalogue(), &files).unwrap();
    insta::assert_snapshot!(text(|out| lint(&files, Ok(&set), Look::default(), out)), @r#"ok    a.toml: 2 rules, 1 override"#);
}
