//! Parsers of formats, one of them not of text. Each takes text and gives data; none opens a file, and none
//! knows a rule.

pub mod bls;
pub mod cmdline;
pub mod config_space;
pub mod duration;
pub mod fnmatch;
pub mod grub_cfg;
pub mod modprobe;
pub mod modules_alias;
pub mod shell_vars;
pub mod systemd_unit;
pub mod toml_tree;
pub mod version;
pub mod yaml;
