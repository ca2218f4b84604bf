//! `ccgpu-node`: is this host fit to run NVIDIA confidential-container GPU workloads, and if not, why?
//!
//! Data flows one way. Only [`host`] reads a machine and only [`apply`] changes
//! one; all between is pure:
//!
//! ```text
//!  host::Root  ->  facts::Facts  ->  report::Report  ->  text for people and programs, exit code
//!  (reads)         (what is)         (rules judged)
//!                                         |
//!                                         v
//!                                    plan::Plan  ->  apply  ->  Facts and Report again
//!                                    (what to do)    (writes)   (the proof that a fix fixed)
//! ```
//!
//! Where things are:
//!
//! | question | module |
//! |---|---|
//! | where is a file of the host opened? | [`host`] |
//! | where is a fact read? | [`facts`], one file per source |
//! | how is a text format understood? | [`mod@format`], parsers of text and nothing else |
//! | where is a rule written? | `rules/*.toml`; [`rules`] loads and judges them |
//! | what does the reader see? | [`report`] |
//! | how is an edit worked out? | [`plan`], one module per kind of file |
//! | where is a file of the host changed? | [`apply`] |
//! | what can a site set? | [`config`] |
//! | how is a change noticed? | [`watch`] |
//! | which other programs are told, and how? | [`publish`] |
//! | how does all of this go on by itself? | [`daemon`] |
//! | when may a host be mended without a person? | [`remediate`] |
//! | what leaves a machine in a capture? | [`capture`] |
//! | how do two hosts differ? | [`diff`] |
//! | where do the GPUs sit? | [`topology`] |
//! | which pod fits a node? | [`workload`] |
//! | what can be typed? | [`cli`], and [`commands`] for what each command does |

pub mod apply;
pub mod capture;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod diff;
pub mod exit;
pub mod facts;
pub mod format;
pub mod host;
pub mod plan;
pub mod publish;
pub mod remediate;
pub mod report;
pub mod rules;
pub mod topology;
pub mod watch;
pub mod workload;
