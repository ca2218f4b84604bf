//! One text for every difficulty that was met in real files, each also put to the real shells.

use super::table::Expect::{Aborts, Is, NotDecidable, Unset};
use super::table::{both, check, dash_stops};

#[test]
fn quoting_and_comments_are_those_of_the_shell() {
    check(&[
        both(
            "a comment behind the value holds quotes and the wanted word",
            &["GRUB_CMDLINE_LINUX_DEFAULT=\"a=1 os='Some 7' b=2\" #v=3\" #intel_iommu=on\"\n"],
            Is("a=1 os='Some 7' b=2"),
            Unset,
        ),
        both(
            "a hash without a blank before it is text",
            &["GRUB_CMDLINE_LINUX=\"a\"#b\nGRUB_CMDLINE_LINUX_DEFAULT=a#b"],
            Is("a#b"),
            Is("a#b"),
        ),
        both(
            "escaped quotes inside quotes",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet os=\\\"!Some 8\\\"\"\nGRUB_CMDLINE_LINUX=\"z=\\\"1  2\\\" q q=off\"\n",
            ],
            Is("quiet os=\"!Some 8\""),
            Is("z=\"1  2\" q q=off"),
        ),
        both(
            "single quotes beside double ones",
            &["GRUB_CMDLINE_LINUX_DEFAULT='nowatchdog a.b=Y splash'\nGRUB_CMDLINE_LINUX=\"\"\n"],
            Is("nowatchdog a.b=Y splash"),
            Is(""),
        ),
        both(
            "no quotes, and nothing at all",
            &["GRUB_CMDLINE_LINUX_DEFAULT=quiet\nGRUB_CMDLINE_LINUX=\n"],
            Is("quiet"),
            Is(""),
        ),
        both(
            "escaped blank, adjacent quotes",
            &["GRUB_CMDLINE_LINUX_DEFAULT=quiet\\ splash\nGRUB_CMDLINE_LINUX=\"a\"' b'c\n"],
            Is("quiet splash"),
            Is("a bc"),
        ),
        both(
            "a continued line vanishes in double quotes and stays in single quotes",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet a=1 \\\nb=1\"\nGRUB_CMDLINE_LINUX='quiet a=1 \\\nb=1'\n",
            ],
            Is("quiet a=1 b=1"),
            Is("quiet a=1 \\\nb=1"),
        ),
        both(
            "a newline in quotes",
            &["GRUB_CMDLINE_LINUX=\"quiet\nb=1\"\n"],
            Unset,
            Is("quiet\nb=1"),
        ),
        both(
            "a comment is not continued",
            &["#  /_/\\_\\  art \\\nGRUB_CMDLINE_LINUX_DEFAULT='x=0x28,0xcc'\n"],
            Is("x=0x28,0xcc"),
            Unset,
        ),
        both(
            "escaped dollar and backquote; a lone dollar",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"a=\\$b c=\\`echo x\\` \\d$ $\"\nGRUB_CMDLINE_LINUX=$\n",
            ],
            Is("a=$b c=`echo x` \\d$ $"),
            Is("$"),
        ),
        both(
            "CRLF reaches the value",
            &["GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\r\nGRUB_CMDLINE_LINUX=\"\"\r\n#\r\n"],
            Is("quiet\r"),
            Is("\r"),
        ),
        both(
            "bytes beyond ASCII and control characters",
            &["GRUB_CMDLINE_LINUX=\"é\u{401}€\u{1}\u{7f}\"\u{a0}\u{b}#\n"],
            Unset,
            Is("é\u{401}€\u{1}\u{7f}\u{a0}\u{b}#"),
        ),
        both(
            "globs, braces and operators within words are text",
            &["GRUB_CMDLINE_LINUX_DEFAULT=*[a]{b,c}?!=\nGRUB_CMDLINE_LINUX=';&|<>()'"],
            Is("*[a]{b,c}?!="),
            Is(";&|<>()"),
        ),
        both(
            "home directories",
            &["GRUB_CMDLINE_LINUX_DEFAULT=~/x\nGRUB_CMDLINE_LINUX='~'"],
            NotDecidable,
            Is("~"),
        ),
    ]);
}

#[test]
fn the_last_assignment_counts_and_comments_do_not() {
    check(&[
        both(
            "assigned twice",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"l=3 quiet\"\n#\n\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet b=v\"\n",
            ],
            Is("quiet b=v"),
            Unset,
        ),
        both(
            "commented variants around the live line",
            &[
                "# GRUB_CMDLINE_LINUX=\"root=Z=r/1 boot=z\" # ORIGINAL\nGRUB_CMDLINE_LINUX=\"root=Z=r/1 intel_iommu=on\"\n# GRUB_CMDLINE_LINUX=\"acs=d,m\" # NOT\n",
            ],
            Unset,
            Is("root=Z=r/1 intel_iommu=on"),
        ),
        both(
            "the same before it, without a blank",
            &[
                "#GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=on\"\n",
            ],
            Is("quiet iommu=on"),
            Unset,
        ),
        both(
            "only as a comment",
            &["#GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"iommu=nopt\"\n"],
            Unset,
            Is("iommu=nopt"),
        ),
        both(
            "one word twice with other values, and a near copy below",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=1 amd_iommu=on iommu=pt\"\n#GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=1\"\n",
            ],
            Is("iommu=1 amd_iommu=on iommu=pt"),
            Unset,
        ),
        both(
            "names that begin alike, a blank at the end",
            &[
                "GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"splash quiet \"\nGRUB_CMDLINE_LINUX_RECOVERY=x\nGRUB_CMDLINE_XEN_DEFAULT=y\n",
            ],
            Is("splash quiet "),
            Is(""),
        ),
        both(
            "no newline at the end",
            &["GRUB_CMDLINE_LINUX_DEFAULT=\"quiet nox2apic\""],
            Is("quiet nox2apic"),
            Unset,
        ),
        both("neither variable", &["GRUB_DEFAULT=0\n\nGRUB_TIMEOUT=5\n"], Unset, Unset),
        both("an empty file", &[""], Unset, Unset),
        both(
            "two on a line, and export with two",
            &[
                "GRUB_CMDLINE_LINUX=\"a\"; GRUB_CMDLINE_LINUX_DEFAULT=\"b\" # c\n\texport GRUB_CMDLINE_LINUX=\"x\" FOO=1 GRUB_TIMEOUT\n",
            ],
            Is("b"),
            Is("x"),
        ),
        both(
            "export",
            &["export GRUB_CMDLINE_LINUX_DEFAULT=\"kvm=1 vfio-pci.ids=02:00.0,02:00.1\"\n"],
            Is("kvm=1 vfio-pci.ids=02:00.0,02:00.1"),
            Unset,
        ),
    ]);
}

#[test]
fn expansions_of_known_variables_are_followed() {
    check(&[
        both(
            "adding to itself, in many lines, one of them a comment",
            &[
                "GRUB_CMDLINE_LINUX=\"audit=0\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX m=auto,nosmt\"\n#GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX s=x\"\nGRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX} kvm-intel.v=always p.q=1\"\n",
            ],
            Unset,
            Is("audit=0 m=auto,nosmt kvm-intel.v=always p.q=1"),
        ),
        both(
            "adding to what was never set",
            &["GRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX} amd_iommu=off\""],
            Unset,
            Is(" amd_iommu=off"),
        ),
        both(
            "a drop-in adds, another replaces",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=b\n",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 console=ttyS0\"\n",
                "# nothing but comments\n",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=2G-4G:320M,128G-:4096M\"\n",
            ],
            Is("console=tty1 console=ttyS0 crashkernel=2G-4G:320M,128G-:4096M"),
            Is("b"),
        ),
        both(
            "a blank only where something stands before it; a dollar for GRUB",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=\"${GRUB_CMDLINE_LINUX_DEFAULT:+$GRUB_CMDLINE_LINUX_DEFAULT }\\$extra\"\n",
                "GRUB_CMDLINE_LINUX=old\n",
                "GRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX:+$GRUB_CMDLINE_LINUX }\\$extra\"\n",
            ],
            Is("$extra"),
            Is("old $extra"),
        ),
        both(
            "a function that is never called, and three physical lines",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT='quiet'\n",
                "_cut() {\n  GRUB_CMDLINE_LINUX_DEFAULT=\"$(echo \"$GRUB_CMDLINE_LINUX_DEFAULT\" | sed 's/ *k=[^ ]*//g')\"\n}\nGRUB_CMDLINE_LINUX_DEFAULT=\"\\\n${GRUB_CMDLINE_LINUX_DEFAULT:+${GRUB_CMDLINE_LINUX_DEFAULT} }\\\nk.max_us=0\"\nunset -f _cut\n",
            ],
            Is("quiet k.max_us=0"),
            Unset,
        ),
        both(
            "the same function, called",
            &["_cut() {\n  GRUB_CMDLINE_LINUX=x\n}\n_cut\nGRUB_CMDLINE_LINUX_DEFAULT=y\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "composed of own variables, and of one from outside",
            &[
                "MY_ROOT=\"r=1\" MY_FS='f=2'\nGRUB_CMDLINE_LINUX=\"${MY_ROOT} ${MY_FS}\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet ${ELSEWHERE}\"\n",
            ],
            NotDecidable,
            Is("r=1 f=2"),
        ),
        both(
            "every form with a word",
            &[
                "GRUB_E=\nGRUB_S=s\nGRUB_CMDLINE_LINUX=\"${GRUB_E:-a}${GRUB_E-b}${GRUB_E:+c}${GRUB_E+d}|${GRUB_S:-a}${GRUB_S-b}${GRUB_S:+c}${GRUB_S+d}|${GRUB_U:-a}${GRUB_U-b}${GRUB_U:+c}${GRUB_U+d}\"\nGRUB_CMDLINE_LINUX_DEFAULT=${GRUB_E:-a 'b ' \"c $GRUB_S\" \\} ${GRUB_U-${GRUB_S}}}\n",
            ],
            Is("a b  c s } s"),
            Is("ad|sscd|ab"),
        ),
        both(
            "two variables of one command",
            &["A=1 GRUB_CMDLINE_LINUX=$A\nGRUB_CMDLINE_LINUX_DEFAULT=$A"],
            Is("1"),
            NotDecidable,
        ),
        both(
            "forms that are not followed",
            &["GRUB_A=ab\nGRUB_CMDLINE_LINUX=${GRUB_A%b}\nGRUB_CMDLINE_LINUX_DEFAULT=${#GRUB_A}"],
            NotDecidable,
            NotDecidable,
        ),
    ]);
}

#[test]
fn where_the_shells_disagree_nothing_is_known() {
    check(&[
        both(
            "a single quote in an expansion within double quotes",
            &["GRUB_CMDLINE_LINUX=\"${GRUB_X:-it's}\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"it's\"\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "`export` of what an old dash splits into words",
            &["GRUB_X='a b'\nexport GRUB_CMDLINE_LINUX=$GRUB_X\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "`export` of several, each of which sees the values from before",
            &["GRUB_X=a\nexport GRUB_X=b GRUB_CMDLINE_LINUX=\"$GRUB_X\"\n"],
            Unset,
            NotDecidable,
        ),
        both(
            "a process in the background assigns for itself only",
            &["GRUB_CMDLINE_LINUX=a\nGRUB_CMDLINE_LINUX=b & GRUB_CMDLINE_LINUX_DEFAULT=c\n"],
            Is("c"),
            NotDecidable,
        ),
        both(
            "a test whose outcome nobody asks for",
            &["GRUB_CMDLINE_LINUX=a\n[ -e /nowhere ]\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "a backslash at the end of the file",
            &["GRUB_CMDLINE_LINUX_DEFAULT=b; GRUB_CMDLINE_LINUX=a\\"],
            Is("b"),
            NotDecidable,
        ),
    ]);
}

#[test]
fn commands_leave_other_variables_alone() {
    check(&[
        both(
            "a command's output in another variable",
            &[
                "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/os-release)\"\nGRUB_CMDLINE_LINUX=\"rhgb quiet\"\n",
            ],
            Unset,
            Is("rhgb quiet"),
        ),
        both(
            "the same with a fallback, backquotes and a parenthesis in quotes",
            &[
                "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\nGRUB_X=$( . /etc/os-release; echo \"a) $(echo ')')\" )\nGRUB_CMDLINE_LINUX=\"q\"\n",
            ],
            Unset,
            Is("q"),
        ),
        both(
            "a command's output in the variable itself",
            &[
                "GRUB_CMDLINE_LINUX=\"a mem=1G\"\nGRUB_CMDLINE_LINUX=\"$(printf '%s' \"$GRUB_CMDLINE_LINUX\" | sed -E 's/(^| +)mem=[^ ]*//g')\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"$(echo $GRUB_CMDLINE_LINUX_DEFAULT | sed 's/\\(quiet\\|splash\\)//g') quiet\"\n",
            ],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "a program with a here-document",
            &[
                "DISK=\"$(stat -c %d/%i /)\"\nif [ \"$DISK\" != 2/2 -a -d \"/\" ]; then\n\tcat <<-EOF > custom.cfg\n\t\tGRUB_CMDLINE_LINUX=no\n\t\tmenuentry \"it's $DISK\" { # fi\n\t\t}\n\tEOF\nfi\nGRUB_CMDLINE_LINUX=yes\n",
            ],
            Unset,
            Is("yes"),
        ),
        both(
            "a here-document that is quoted holds anything",
            &["cat <<'END X' > /dev/null\n$( ` ${ \" '\nEND\nEND X\nGRUB_CMDLINE_LINUX=yes\n"],
            Unset,
            Is("yes"),
        ),
        both(
            "an assignment in a `case`, with a bare export",
            &[
                "GRUB_CMDLINE_LINUX_DEFAULT=q\ncase \" ${GRUB_CMDLINE_LINUX:-} \" in\n  *\" v6=1 \"*) ;;\n  *) GRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX:+${GRUB_CMDLINE_LINUX} }v6=1\" ;;\nesac\nexport GRUB_CMDLINE_LINUX\n",
            ],
            Is("q"),
            NotDecidable,
        ),
        both(
            "what an `if` may assign is known again after a plain assignment",
            &[
                "if test -e /nowhere; then GRUB_CMDLINE_LINUX=a; GRUB_CMDLINE_LINUX_DEFAULT=a; fi\nGRUB_CMDLINE_LINUX=b\n",
            ],
            NotDecidable,
            Is("b"),
        ),
        both(
            "a loop that sources other files",
            &[
                "GRUB_CMDLINE_LINUX=a\nfor f in ./none/*.cfg; do if [ -e \"$f\" ]; then . \"$f\"; fi; done\n",
            ],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "a condition that ends the file",
            &["GRUB_CMDLINE_LINUX=a\n[ -e /nowhere ] && GRUB_CMDLINE_LINUX_DEFAULT=b\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "a condition in the midst of the file",
            &["[ -e /nowhere ] && GRUB_CMDLINE_LINUX_DEFAULT=b\nGRUB_CMDLINE_LINUX=a\n"],
            NotDecidable,
            Is("a"),
        ),
        both(
            "the script may be left",
            &["GRUB_CMDLINE_LINUX=a\nexit 0\n"],
            NotDecidable,
            NotDecidable,
        ),
        both("arithmetic", &["GRUB_X=$((GRUB_CMDLINE_LINUX=1))\n"], NotDecidable, NotDecidable),
        both("an expansion that assigns", &[": ${GRUB_CMDLINE_LINUX:=a}\n"], Unset, NotDecidable),
        both(
            "a variable of the shell itself",
            &["GRUB_CMDLINE_LINUX=a\nOPTIND=none\n"],
            NotDecidable,
            NotDecidable,
        ),
    ]);
}

#[test]
fn what_stops_the_shell_is_told_from_what_cannot_be_told() {
    check(&[
        both(
            "two words without quotes",
            &["GRUB_CMDLINE_LINUX_DEFAULT=quiet splash none\n"],
            Aborts,
            Aborts,
        ),
        both("blanks around the sign", &["GRUB_CMDLINE_LINUX = \"quiet\"\n"], Aborts, Aborts),
        both("a byte order mark", &["\u{feff}# comment\nGRUB_CMDLINE_LINUX=a\n"], Aborts, Aborts),
        both("CRLF with an empty line", &["GRUB_CMDLINE_LINUX=a\r\n\r\n"], Aborts, Aborts),
        both("no closing quote", &["GRUB_CMDLINE_LINUX=\"a\nGRUB_TIMEOUT=1\n"], Aborts, Aborts),
        both("a quote too many", &["GRUB_CMDLINE_LINUX=\"a\"\"\n"], Aborts, Aborts),
        both("a name that is none", &["GRUB-CMDLINE=a\n"], Aborts, Aborts),
        both("a later file stops", &["GRUB_CMDLINE_LINUX=a\n", "GRUB_X=a b_b\n"], Aborts, Aborts),
        (
            "appending",
            &[
                "GRUB_CMDLINE_LINUX=\"a\"\nGRUB_CMDLINE_LINUX_DEFAULT+=' d=/dev/v/l:n'\nGRUB_CMDLINE_LINUX+=\" rd.debug\"",
            ],
            (Aborts, Aborts),
            (Is(" d=/dev/v/l:n"), Is("a rd.debug")),
        ),
        both("an escape of bash", &["GRUB_CMDLINE_LINUX=$'a\\tb'\n"], NotDecidable, NotDecidable),
        both(
            "the same without one",
            &["GRUB_CMDLINE_LINUX=$'a'; GRUB_CMDLINE_LINUX_DEFAULT=b"],
            Is("b"),
            NotDecidable,
        ),
        dash_stops("`source`", &["source ./none-such\nGRUB_CMDLINE_LINUX=\"a ${HOLO} b\""]),
        dash_stops("an array", &["GRUB_CMDLINE_LINUX=(a b)\n"]),
        both(
            "an unknown command",
            &["GRUB_CMDLINE_LINUX=a\nsome-tool --x\n"],
            NotDecidable,
            NotDecidable,
        ),
        both(
            "a function of the name of a word",
            &["splash() { :; }\nGRUB_CMDLINE_LINUX=quiet splash\n"],
            NotDecidable,
            NotDecidable,
        ),
        both("a NUL byte", &["GRUB_CMDLINE_LINUX=a\0b\n"], NotDecidable, NotDecidable),
    ]);
}
