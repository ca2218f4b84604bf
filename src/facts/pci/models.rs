//! NVIDIA devices by id: what family a GPU or an NVSwitch is of.
//!
//! Data, not judgement: an id that is not here is a GPU like any other, only without a family. The ids
//! are those of the public pci.ids list; which families NVIDIA supports for confidential containers
//! is its own list of supported platforms, version 1.1.0.

/// What a device with a listed id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gpu,
    NvSwitch,
}

/// One listed id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub id: u16,
    pub kind: Kind,
    /// For people: "H100 SXM5 80GB".
    pub family: &'static str,
    /// "Hopper", "Blackwell"; for an NVSwitch its generation.
    pub architecture: &'static str,
    /// Its name in NVIDIA's list of platforms supported for confidential containers.
    pub supported: Option<&'static str>,
}

const fn gpu(
    id: u16,
    family: &'static str,
    architecture: &'static str,
    supported: Option<&'static str>,
) -> Model {
    Model { id, kind: Kind::Gpu, family, architecture, supported }
}

const fn switch(id: u16, family: &'static str, generation: &'static str) -> Model {
    Model { id, kind: Kind::NvSwitch, family, architecture: generation, supported: None }
}

const HOPPER: &str = "Hopper";
const BLACKWELL: &str = "Blackwell";
const BLACKWELL_ULTRA: &str = "Blackwell Ultra";

/// Ordered by id.
const MODELS: &[Model] = &[
    switch(0x1af1, "A100 NVSwitch", "NVSwitch 2"),
    switch(0x22a3, "H100 NVSwitch", "NVSwitch 3"),
    gpu(0x230c, "H20 NVL16", HOPPER, None),
    gpu(0x230e, "H20 NVL16", HOPPER, None),
    gpu(0x2313, "H100 CNX", HOPPER, None),
    gpu(0x2321, "H100 NVL 94GB", HOPPER, Some("H100")),
    gpu(0x2322, "H800 PCIe", HOPPER, None),
    gpu(0x2324, "H800", HOPPER, None),
    gpu(0x2328, "H20", HOPPER, None),
    gpu(0x2329, "H20", HOPPER, None),
    gpu(0x232c, "H20 HBM3e", HOPPER, None),
    gpu(0x2330, "H100 SXM5 80GB", HOPPER, Some("H100")),
    gpu(0x2331, "H100 PCIe", HOPPER, Some("H100")),
    gpu(0x2335, "H200 SXM 141GB", HOPPER, Some("H200")),
    gpu(0x2336, "H100", HOPPER, Some("H100")),
    gpu(0x2337, "H100 SXM5 64GB", HOPPER, Some("H100")),
    gpu(0x2338, "H100 SXM5 96GB", HOPPER, Some("H100")),
    gpu(0x2339, "H100 SXM5 94GB", HOPPER, Some("H100")),
    gpu(0x233a, "H800L 94GB", HOPPER, None),
    gpu(0x233b, "H200 NVL", HOPPER, Some("H200")),
    gpu(0x233d, "H100 96GB", HOPPER, Some("H100")),
    gpu(0x2342, "GH200", HOPPER, None),
    gpu(0x2343, "GH200", HOPPER, None),
    gpu(0x2345, "GH200", HOPPER, None),
    gpu(0x2348, "GH200", HOPPER, None),
    gpu(0x2901, "B200", BLACKWELL, Some("B200")),
    gpu(0x2909, "HGX B200 168GB", BLACKWELL, Some("B200")),
    gpu(0x2920, "B100", BLACKWELL, None),
    gpu(0x2941, "GB200", BLACKWELL, None),
    gpu(0x29bc, "B100", BLACKWELL, None),
    gpu(0x2bb1, "RTX PRO 6000 Blackwell Workstation Edition", BLACKWELL, None),
    gpu(0x2bb2, "RTX PRO 6000D Blackwell", BLACKWELL, None),
    gpu(0x2bb4, "RTX PRO 6000 Blackwell Max-Q", BLACKWELL, None),
    gpu(
        0x2bb5,
        "RTX PRO 6000 Blackwell Server Edition",
        BLACKWELL,
        Some("RTX PRO 6000 Blackwell Server Edition"),
    ),
    gpu(0x3182, "B300 SXM6 AC", BLACKWELL_ULTRA, Some("B300")),
    gpu(0x31c2, "GB300", BLACKWELL_ULTRA, None),
    gpu(0x31c3, "GB300", BLACKWELL_ULTRA, None),
];

/// The model that an NVIDIA device id means, where the id is listed.
pub fn find(device: u16) -> Option<&'static Model> {
    MODELS.binary_search_by_key(&device, |model| model.id).ok().and_then(|index| MODELS.get(index))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn the_list_is_ordered_so_that_searching_finds_all() {
        assert!(MODELS.is_sorted_by(|one, next| one.id < next.id));
        for model in MODELS {
            assert_eq!(find(model.id), Some(model));
        }
    }

    /// pci.ids names the chip and, in brackets, the board: "GH100 [H100 SXM5 80GB]". It has no settled
    /// name for the boards of superchips.
    #[test]
    fn the_public_list_agrees_about_family_and_architecture() {
        let mut compared = 0;
        for model in MODELS.iter().filter(|model| model.kind == Kind::Gpu) {
            let Some(name) = names::device(super::super::NVIDIA, model.id) else {
                continue;
            };
            let product = model.family.trim_start_matches("HGX ").split(' ').next().unwrap();
            let agrees = name.contains(product) || product == "GH200";
            assert!(agrees, "{:04x} {name:?} {:?}", model.id, model.family);
            let architecture = match name.get(..4) {
                Some("GH10") => HOPPER,
                Some("GB11") => BLACKWELL_ULTRA,
                Some("GB10" | "GB20") => BLACKWELL,
                other => panic!("{other:?}"),
            };
            assert_eq!(model.architecture, architecture, "{:04x} {name:?}", model.id);
            compared += 1;
        }
        assert!(compared > 20, "{compared}");
    }

    #[test]
    fn an_id_that_is_not_listed_has_no_family() {
        for id in [0, 0x1db6, 0x2334, 0xffff] {
            assert_eq!(find(id), None, "{id:04x}");
        }
    }
}
