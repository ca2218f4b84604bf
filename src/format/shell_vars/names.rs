//! What is known of commands and variables by their names alone.

/// Variables that a shell refuses, computes or acts on when they are assigned.
pub(super) fn is_special_variable(name: &str) -> bool {
    const SPECIAL: &[&str] = &[
        "ATTY",
        "BASH",
        "BASHOPTS",
        "BASHPID",
        "COMP_WORDBREAKS",
        "DIRSTACK",
        "ENV",
        "EPOCHREALTIME",
        "EPOCHSECONDS",
        "EUID",
        "EXECIGNORE",
        "FUNCNAME",
        "FUNCNEST",
        "GLOBIGNORE",
        "GROUPS",
        "HISTCMD",
        "HISTSIZE",
        "IGNOREEOF",
        "LINENO",
        "OPTERR",
        "OPTIND",
        "POSIXLY_CORRECT",
        "PPID",
        "RANDOM",
        "SECONDS",
        "SHELLOPTS",
        "SRANDOM",
        "TMOUT",
        "UID",
        "_",
    ];
    SPECIAL.contains(&name) || name.starts_with("BASH_")
}

/// Commands of the shell that may assign variables, leave the script or change how it goes on.
pub(super) fn is_built_in(name: &str) -> bool {
    const BUILT_IN: &[&str] = &[
        ".",
        "alias",
        "break",
        "builtin",
        "caller",
        "cd",
        "continue",
        "declare",
        "dirs",
        "disown",
        "enable",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "getopts",
        "hash",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "pushd",
        "read",
        "readarray",
        "readonly",
        "return",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "times",
        "trap",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "wait",
    ];
    BUILT_IN.contains(&name)
}

/// Programs, and built-in commands like them, that cannot assign a variable or leave the script. That one
/// fails, or is missing, is not counted: see the module's head.
pub(super) fn is_well_known_program(name: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        ":",
        "[",
        "awk",
        "basename",
        "blkid",
        "cat",
        "chmod",
        "chown",
        "cmp",
        "cp",
        "cut",
        "date",
        "diff",
        "dirname",
        "dpkg",
        "dpkg-query",
        "echo",
        "egrep",
        "expr",
        "fgrep",
        "find",
        "findmnt",
        "getconf",
        "grep",
        "head",
        "hostname",
        "id",
        "install",
        "ln",
        "logger",
        "ls",
        "lsb_release",
        "lsblk",
        "lsmod",
        "lspci",
        "mkdir",
        "mktemp",
        "mountpoint",
        "mv",
        "printf",
        "readlink",
        "realpath",
        "rm",
        "rpm",
        "sed",
        "seq",
        "sleep",
        "sort",
        "stat",
        "sync",
        "systemd-detect-virt",
        "tail",
        "tee",
        "test",
        "touch",
        "tr",
        "true",
        "uname",
        "uniq",
        "wc",
        "xargs",
    ];
    PROGRAMS.contains(&name)
}

/// Programs that are run for whether they succeed.
pub(super) fn is_test(name: &str) -> bool {
    const TESTS: &[&str] = &[
        "[",
        "cmp",
        "command",
        "diff",
        "egrep",
        "expr",
        "fgrep",
        "grep",
        "mountpoint",
        "systemd-detect-virt",
        "test",
    ];
    TESTS.contains(&name)
}

/// Whether a function of this name would change what this parser says of a command.
pub(super) fn is_well_known(name: &str) -> bool {
    is_well_known_program(name) || is_built_in(name) || matches!(name, "unset" | "command")
}
