#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes every form of the shared boot names from names.toml.

    gen.py uboot-env BOARD.toml   U-Boot's default environment, one line per variable
    gen.py uboot-header           access list of the stored environment, as a C header
    gen.py factory-env            environment of a new device, input of mkenvimage -r
    gen.py c-header               names for recovery and agent
    gen.py table                  Markdown tables for docs/PORTING.md
    gen.py check-doc FILE         fails if the tables in FILE are not the current ones
"""
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
TYPE_LETTER = {"string": "s", "decimal": "d"}
DOC_BEGIN = "<!-- names: begin, made by bootscripts/gen.py table -->"
DOC_END = "<!-- names: end -->"


def load(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


def load_names():
    names = load(HERE / "names.toml")
    for name, number in names["number"].items():
        if not 1 <= number["value"] <= 9:
            sys.exit(f"names.toml: {name} must be 1 to 9 (setexpr is hexadecimal)")
    for name, var in names["variable"].items():
        if var["type"] not in TYPE_LETTER:
            sys.exit(f"names.toml: {name} has unknown type {var['type']}")
        if "values" in var and var["factory"] not in var["values"]:
            sys.exit(f"names.toml: factory value of {name} is not an allowed one")
    return names


def macro(text):
    return re.sub(r"[^A-Z0-9]", "_", text.upper())


def join_continuations(lines):
    """Yields NAME, VALUE; comment and blank lines end nothing and are dropped."""
    name, parts = None, []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t":
            parts.append(line.strip())
            continue
        if name:
            yield name, " ".join(p for p in parts if p)
        name, first = line.split("=", 1)
        parts = [first.strip()]
    if name:
        yield name, " ".join(p for p in parts if p)


def substitutions(names, board):
    subst = {macro(k): str(v["value"]) for k, v in names["number"].items()}
    subst |= {"REASON_" + macro(k): k for k in names["reason"]}
    subst |= {macro(k): str(v) for k, v in board.items()}
    return subst


def uboot_env(names, board_file):
    subst = substitutions(names, load(board_file))
    template = (HERE / "boot.env.in").read_text()
    text = re.sub(r"@([A-Z0-9_]+)@", lambda m: subst[m.group(1)], "\n".join(
        line for line in template.splitlines() if not line.startswith("#")))
    lines = [f"{k}={v['default']}" for k, v in names["variable"].items()]
    lines += [f"{k}={v}" for k, v in join_continuations(text.splitlines())]
    return "\n".join(lines) + "\n"


def uboot_header(names):
    flags = ",".join(f"{k}:{TYPE_LETTER[v['type']]}w" for k, v in names["variable"].items())
    return f"""/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by bootscripts/gen.py; forced into every file of U-Boot. */

/* The only variables that the stored environment may set, with their types. */
#define CFG_ENV_FLAGS_LIST_STATIC "{flags}"

/* The card behind PCI holds the environment: PCI has to be up before it is read. */
#define CONFIG_SYS_EARLY_PCI_INIT 1
"""


def factory_env(names):
    return "".join(f"{k}={v['factory']}\n" for k, v in names["variable"].items())


def c_header(names):
    out = ["/* SPDX-License-Identifier: GPL-2.0-or-later */",
           "/* Made by bootscripts/gen.py from bootscripts/names.toml: do not edit. */",
           "#ifndef LB_BOOT_NAMES_H", "#define LB_BOOT_NAMES_H", ""]
    for name, number in names["number"].items():
        out += [f"/* {number['doc']} */", f"#define LB_{macro(name)} {number['value']}", ""]
    for name, var in names["variable"].items():
        prefix = f"LB_VAR_{macro(name)}"
        out += [f"/* {var['doc']} */", f'#define {prefix} "{name}"']
        out += [f'#define {prefix}_{macro(v)} "{v}"' for v in var.get("values", [])]
        out += [f'#define {prefix}_DEFAULT "{var["default"]}"',
                f'#define {prefix}_FACTORY "{var["factory"]}"', ""]
    for name, arg in names["argument"].items():
        out += [f"/* {arg['doc']} */", f'#define LB_ARG_{macro(name)} "{name}"', ""]
    out += ["/* Why recovery runs; UNKNOWN stands for no or an unknown argument. */",
            "enum lb_boot_reason {", "\tLB_BOOT_REASON_UNKNOWN,"]
    out += [f"\tLB_BOOT_REASON_{macro(r)},\t/* {v['doc']} */" for r, v in names["reason"].items()]
    out += ["\tLB_BOOT_REASON_COUNT", "};", "",
            "/* X(enum value, code, sentence) for every reason but UNKNOWN. */",
            "#define LB_BOOT_REASONS(X) \\"]
    out += [" \\\n".join(f'\tX(LB_BOOT_REASON_{macro(r)}, "{r}", "{v["doc"]}")'
                         for r, v in names["reason"].items())]
    out += [""]
    out += [f'#define LB_REASON_TEXT_{macro(r)} "{r}"' for r in names["reason"]]
    out += ["", "#endif", ""]
    return "\n".join(out)


def table(names):
    out = ["| Variable | Type | Values | If lost | New device | Meaning |", "|---|---|---|---|---|---|"]
    for name, var in names["variable"].items():
        values = ", ".join(f"`{v}`" for v in var.get("values", [])) or "a number"
        out.append(f"| `{name}` | {var['type']} | {values} | `{var['default']}` "
                   f"| `{var['factory']}` | {var['doc']} |")
    out += ["", "| Number | Value | Meaning |", "|---|---|---|"]
    out += [f"| {k} | {v['value']} | {v['doc']} |" for k, v in names["number"].items()]
    out += ["", "| Kernel argument | Meaning |", "|---|---|"]
    out += [f"| `{k}=` | {v['doc']} |" for k, v in names["argument"].items()]
    out += ["", "| Reason | Meaning |", "|---|---|"]
    out += [f"| `{k}` | {v['doc']} |" for k, v in names["reason"].items()]
    return "\n".join(out) + "\n"


def check_doc(names, path):
    text = Path(path).read_text()
    found = text.partition(DOC_BEGIN)[2].partition(DOC_END)[0].strip()
    if found != table(names).strip():
        sys.exit(f"{path}: its tables differ from the output of bootscripts/gen.py table")
    return ""


def main(argv):
    commands = {"uboot-env": (uboot_env, 1), "uboot-header": (uboot_header, 0),
                "factory-env": (factory_env, 0), "c-header": (c_header, 0),
                "table": (table, 0), "check-doc": (check_doc, 1)}
    if len(argv) < 2 or argv[1] not in commands or len(argv) != 2 + commands[argv[1]][1]:
        sys.exit(__doc__)
    sys.stdout.write(commands[argv[1]][0](load_names(), *argv[2:]))


if __name__ == "__main__":
    main(sys.argv)
