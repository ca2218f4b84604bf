//! Sourcing texts in order, and answering for a variable.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::script::{Assignment, Effect, Expansion, Kind, Part, PartKind, Script, Span};
use super::simple::shown;
use super::value::{Assigned, Doubt, Known, Place, Value};
use super::{Dialect, parse};

/// The longest value. The kernel takes 2 KiB of command line; this is for texts made to hurt.
const LONGEST: usize = 128 << 10;
/// How many bytes may be copied in one evaluation, for the same reason.
const BUDGET: usize = 32 << 20;

/// A text to be sourced, and the path to call it by.
#[derive(Debug, Clone, Copy)]
pub struct File<'t> {
    pub path: &'t str,
    pub text: &'t [u8],
}

/// What the shell holds before the first file.
#[derive(Debug, Clone)]
pub struct Environment<'t> {
    presets: Vec<(&'t str, &'t [u8])>,
    is_grub: bool,
}

impl<'t> Environment<'t> {
    /// That of `grub-mkconfig`: what starts with `GRUB_` is unset, all else comes from outside.
    pub fn grub() -> Self {
        Self { presets: Vec::new(), is_grub: true }
    }

    /// No variable at all, as for `/etc/os-release`, which is data more than a script.
    pub fn empty() -> Self {
        Self { presets: Vec::new(), is_grub: false }
    }

    /// With a variable that is set before the first file.
    #[must_use]
    pub fn with(mut self, name: &'t str, value: &'t [u8]) -> Self {
        self.presets.push((name, value));
        self
    }

    fn is_unset(&self, name: &str) -> bool {
        // grub-mkconfig computes these before it reads the files.
        const COMPUTED: &[&str] =
            &["GRUB_DEVICE", "GRUB_FS", "GRUB_EARLY_INITRD", "GRUB_PREFIX", "GRUB_GRUBENV"];
        !self.is_grub
            || (name.starts_with("GRUB_") && !COMPUTED.iter().any(|start| name.starts_with(start)))
    }
}

/// What can be said of a variable after the last file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable<'e, 't> {
    Known(Known<'e, 't>),
    /// No file assigns it.
    Unset,
    /// Only running the files would tell.
    NotDecidable(Doubt<'t>),
    /// The shell stops before the end, so there is no value; `update-grub` fails.
    Aborts(Doubt<'t>),
}

/// The state after the last file.
#[derive(Debug)]
pub struct Evaluation<'t> {
    names: BTreeMap<&'t str, State<'t>>,
    records: Vec<Record<'t>>,
    places: Vec<Option<Place<'t>>>,
    environment: Environment<'t>,
    dialect: Dialect,
    /// Set once nothing can be told any more.
    stopped: Option<Stop<'t>>,
    functions: bool,
    spent: usize,
}

#[derive(Debug)]
enum Stop<'t> {
    NotDecidable(Doubt<'t>),
    Aborts(Doubt<'t>),
}

#[derive(Debug)]
struct State<'t> {
    /// The record that holds the value, or why there is none.
    current: Result<usize, Doubt<'t>>,
    /// The statement that assigned it, by number.
    statement: usize,
    records: Vec<usize>,
}

#[derive(Debug)]
struct Record<'t> {
    name: &'t str,
    word: Option<Span>,
    value: Option<Value>,
    /// The value before it is part of this one.
    adds: bool,
}

/// Sources the files in order, as `.` under `set -e` would.
pub fn evaluate<'t>(
    files: &[File<'t>],
    environment: Environment<'t>,
    dialect: Dialect,
) -> Evaluation<'t> {
    let mut evaluation = Evaluation {
        names: BTreeMap::new(),
        records: Vec::new(),
        places: Vec::new(),
        environment,
        dialect,
        stopped: None,
        functions: false,
        spent: 0,
    };
    for (name, bytes) in evaluation.environment.presets.clone() {
        let mut value = Value::default();
        value.push(bytes, evaluation.records.len(), 0);
        evaluation.record(name, None, None, Ok(value), false, 0);
    }
    let mut statements = 0;
    for file in files {
        evaluation.source(file.path, &parse(file.text), &mut statements);
        if evaluation.stopped.is_some() {
            break;
        }
    }
    evaluation
}

impl<'t> Evaluation<'t> {
    /// What a variable is after the last file.
    pub fn variable(&self, name: &str) -> Variable<'_, 't> {
        match &self.stopped {
            Some(Stop::NotDecidable(doubt)) => return Variable::NotDecidable(doubt.clone()),
            Some(Stop::Aborts(doubt)) => return Variable::Aborts(doubt.clone()),
            None => {}
        }
        match self.names.get(name).map(|state| &state.current) {
            None if self.environment.is_unset(name) => Variable::Unset,
            None => Variable::NotDecidable(Doubt { place: None, why: outside(name) }),
            Some(Err(doubt)) => Variable::NotDecidable(doubt.clone()),
            Some(Ok(record)) => match self.records.get(*record).and_then(|r| r.value.as_ref()) {
                Some(value) => Variable::Known(Known {
                    value,
                    assignments: self.assignments(name),
                    places: &self.places,
                }),
                None => Variable::Unset,
            },
        }
    }

    /// The assignments of a variable that were reached, also where its value cannot be told.
    pub fn assignments(&self, name: &str) -> Vec<Assigned<'_, 't>> {
        let Some(state) = self.names.get(name) else { return Vec::new() };
        let mut assignments: Vec<Assigned<'_, 't>> = Vec::new();
        let mut overridden_by = None;
        for &number in state.records.iter().rev() {
            let Some(record) = self.records.get(number) else { continue };
            let place = self.places.get(number).copied().flatten();
            assignments.push(Assigned {
                place,
                word: record.word,
                value: record.value.as_ref(),
                overridden_by,
            });
            if !record.adds {
                overridden_by = place;
            }
        }
        assignments.reverse();
        assignments
    }

    fn source(&mut self, path: &'t str, script: &Script<'t>, statements: &mut usize) {
        self.functions |= script.defines_functions;
        for statement in &script.statements {
            *statements += 1;
            let place = Place { path, line: statement.line };
            match &statement.kind {
                Kind::Assignments { list, .. } => {
                    for assignment in list {
                        let place = Place { path, line: assignment.line };
                        self.assign(assignment, script.text, place, *statements);
                    }
                }
                Kind::Opaque { why, effect: Effect::Anything, .. } => {
                    self.stop(place, why.clone());
                }
                Kind::Opaque { why, effect: Effect::Names(names), .. } => {
                    self.may_assign(names, why, place, *statements);
                }
                Kind::Aborts { why, dash_only, missing_command } => {
                    let is_sure = !(*missing_command && self.functions)
                        && (!dash_only || self.dialect == Dialect::Dash);
                    if is_sure {
                        self.abort(place, why.clone());
                    } else {
                        self.stop(place, why.clone());
                    }
                }
            }
            if self.stopped.is_some() {
                return;
            }
        }
        if let Some(last) = script.statements.last()
            && let Kind::Opaque { may_end_false: true, .. } = last.kind
        {
            let why = "the file's last command may end false, which stops the script";
            self.stop(Place { path, line: last.line }, why.into());
        }
    }

    fn stop(&mut self, place: Place<'t>, why: Cow<'static, str>) {
        let doubt = Doubt { place: Some(place), why };
        self.stopped.get_or_insert(Stop::NotDecidable(doubt));
    }

    fn abort(&mut self, place: Place<'t>, why: Cow<'static, str>) {
        let doubt = Doubt { place: Some(place), why };
        self.stopped.get_or_insert(Stop::Aborts(doubt));
    }

    fn may_assign(
        &mut self,
        names: &BTreeSet<&'t str>,
        why: &str,
        place: Place<'t>,
        statement: usize,
    ) {
        for name in names {
            let doubt = Doubt { place: Some(place), why: format!("it depends on {why}").into() };
            // It may, so what stood before may still stand.
            self.record(name, Some(place), None, Err(doubt), true, statement);
        }
    }

    fn assign(
        &mut self,
        assignment: &Assignment<'t>,
        text: &'t [u8],
        place: Place<'t>,
        statement: usize,
    ) {
        let name = assignment.name;
        if assignment.append {
            match self.dialect {
                Dialect::Bash => {}
                Dialect::Dash => return self.abort(place, "`+=`, which dash does not know".into()),
                Dialect::Unknown => {
                    return self.stop(place, "`+=`, which dash does not know".into());
                }
            }
        }
        let mut work = Work {
            evaluation: self,
            text,
            name,
            statement,
            value: Value::default(),
            spent: 0,
            adds: assignment.append,
        };
        let mut result = Ok(());
        if assignment.append {
            result = work.variable(name);
        }
        let result = result.and_then(|()| work.parts(&assignment.value.parts));
        let Work { value, spent, adds, .. } = work;
        self.spent = self.spent.saturating_add(spent);
        if self.spent > BUDGET {
            return self.stop(place, "the files expand to too much".into());
        }
        let result = match result {
            Ok(()) => Ok(value),
            Err(Undecided::Here(why)) => Err(Doubt { place: Some(place), why }),
            Err(Undecided::Before(doubt)) => Err(doubt),
        };
        let number = self.records.len();
        let carries = |value: &Value| {
            value.origins(0..value.bytes().len()).any(|origin| {
                origin != number && self.records.get(origin).is_some_and(|r| r.name == name)
            })
        };
        let adds = adds || result.as_ref().is_ok_and(carries);
        self.record(name, Some(place), Some(assignment.value.span), result, adds, statement);
    }

    fn record(
        &mut self,
        name: &'t str,
        place: Option<Place<'t>>,
        word: Option<Span>,
        value: Result<Value, Doubt<'t>>,
        adds: bool,
        statement: usize,
    ) {
        let number = self.records.len();
        let (value, current) = match value {
            Ok(value) => (Some(value), Ok(number)),
            Err(doubt) => (None, Err(doubt)),
        };
        self.records.push(Record { name, word, value, adds });
        self.places.push(place);
        let state = self.names.entry(name).or_insert_with(|| State {
            current: Ok(number),
            statement,
            records: Vec::new(),
        });
        state.current = current;
        state.statement = statement;
        state.records.push(number);
    }
}

fn outside(name: &str) -> Cow<'static, str> {
    format!("`{}` comes from outside these files", shown(name.as_bytes())).into()
}

/// Why a value cannot be told.
enum Undecided<'t> {
    /// By its own text.
    Here(Cow<'static, str>),
    /// By a variable in it.
    Before(Doubt<'t>),
}

/// One value in the making.
struct Work<'e, 't> {
    evaluation: &'e Evaluation<'t>,
    text: &'t [u8],
    /// The variable that is assigned.
    name: &'t str,
    statement: usize,
    value: Value,
    spent: usize,
    adds: bool,
}

impl<'e, 't> Work<'e, 't> {
    fn parts(&mut self, parts: &[Part<'t>]) -> Result<(), Undecided<'t>> {
        let number = self.evaluation.records.len();
        for part in parts {
            match &part.kind {
                PartKind::Literal => {
                    let bytes = part.span.of(self.text);
                    self.spend(bytes.len())?;
                    self.value.push(bytes, number, part.span.start);
                }
                PartKind::Undecidable(why) => return Err(Undecided::Here(Cow::Borrowed(why))),
                PartKind::Expansion(expansion) => self.expansion(expansion)?,
            }
        }
        Ok(())
    }

    fn expansion(&mut self, expansion: &Expansion<'t>) -> Result<(), Undecided<'t>> {
        let Some(condition) = expansion.condition else { return self.variable(expansion.name) };
        let value = self.lookup(expansion.name)?;
        let is_set = value.is_some_and(|v| !(condition.empty_is_unset && v.bytes().is_empty()));
        match (condition.when_set, is_set) {
            (true, true) | (false, false) => self.parts(&expansion.word),
            (false, true) => self.variable(expansion.name),
            (true, false) => Ok(()),
        }
    }

    fn variable(&mut self, name: &'t str) -> Result<(), Undecided<'t>> {
        if let Some(value) = self.lookup(name)? {
            self.spend(value.size())?;
            self.value.append(value);
        }
        Ok(())
    }

    /// The value of a variable at this point; none where it is unset.
    fn lookup(&mut self, name: &'t str) -> Result<Option<&'e Value>, Undecided<'t>> {
        self.adds |= name == self.name;
        let evaluation = self.evaluation;
        let Some(state) = evaluation.names.get(name) else {
            if evaluation.environment.is_unset(name) {
                return Ok(None);
            }
            return Err(Undecided::Here(outside(name)));
        };
        if state.statement == self.statement {
            // Whether the earlier assignment already counts depends on the shell and its version.
            let why = format!("`{}` is assigned in the same command", shown(name.as_bytes()));
            return Err(Undecided::Here(why.into()));
        }
        match &state.current {
            Ok(record) => Ok(evaluation.records.get(*record).and_then(|r| r.value.as_ref())),
            Err(doubt) => Err(Undecided::Before(doubt.clone())),
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Undecided<'t>> {
        self.spent = self.spent.saturating_add(bytes);
        if self.value.bytes().len().saturating_add(bytes) > LONGEST {
            return Err(Undecided::Here("it is longer than 128 KiB".into()));
        }
        Ok(())
    }
}
