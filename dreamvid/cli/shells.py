"""Completion scripts for bash, zsh and fish. All names stand in the script, so a Tab is quick.

Only the layers of other networks than pocket are asked of dreamvid, which takes seconds.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Option(NamedTuple):
    """A flag, as a shell completes it."""

    spellings: tuple[str, ...]
    kind: str
    """The name of a list, files, nothing, anything, or the values themselves between blanks."""
    help: str
    listed: bool
    """Whether it takes several values between commas."""


class Command(NamedTuple):
    """A command, as a shell completes it."""

    name: str
    about: str
    options: tuple[Option, ...]
    arguments: tuple[str, ...]


BASH = r"""
_dreamvid_layers() {
  local index network=pocket
  for ((index = 1; index < ${#COMP_WORDS[@]} - 1; index++)); do
    [[ ${COMP_WORDS[index]} == --network ]] && network=${COMP_WORDS[index + 1]}
  done
  if [[ $network == pocket ]]; then _dreamvid_values layers; return; fi
  dreamvid list layers "$network" 2>/dev/null |
    awk 'NR > 1 { print ($1 ~ /^[0-9]+$/ && NF > 1) ? $2 : $1 }'
}

_dreamvid() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} first=2 kind= place= index word candidates prefix=
  COMPREPLY=()
  [[ $current == = ]] && return
  # Bash parts words at "=" where it is not told otherwise.
  [[ $before == = && ${COMP_WORDS[COMP_CWORD - 2]} == --* ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "$_dreamvid_commands --help --version" -- "$current"))
    return
  fi
  if [[ -n $(_dreamvid_within "$command") ]]; then
    if ((COMP_CWORD == 2)); then
      COMPREPLY=($(compgen -W "$(_dreamvid_within "$command")" -- "$current"))
      return
    fi
    command="$command ${COMP_WORDS[2]}" first=3
  fi
  kind=$(_dreamvid_kind "$command:$before")
  if [[ -z $kind || $kind == nothing ]]; then
    if [[ $current == -* ]]; then
      COMPREPLY=($(compgen -W "$(_dreamvid_flags "$command") --help" -- "$current"))
      return
    fi
    place=0
    for ((index = first; index < COMP_CWORD; index++)); do
      word=${COMP_WORDS[index]}
      if [[ $word == -* ]]; then
        kind=$(_dreamvid_kind "$command:$word")
        [[ -n $kind && $kind != nothing ]] && ((index++))
      else
        ((place++))
      fi
    done
    kind=$(_dreamvid_argument "$command:$place")
  fi
  local IFS=$'\n'
  case $kind in
    files) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
    anything | nothing | "") return ;;
    layers) candidates=$(_dreamvid_layers) ;;
    *) candidates=$(_dreamvid_values "$kind") ;;
  esac
  [[ -z $candidates ]] && candidates=${kind// /$'\n'}
  local quoted=${current:0:1}
  [[ $quoted == [\"\'] ]] && current=${current:1} || quoted= current=${current//\\/}
  if [[ $(_dreamvid_listed "$command:$before") && $current == *,* ]]; then
    prefix=${current%,*},
    current=${current##*,}
  fi
  [[ $kind == settings || -n $prefix ]] && compopt -o nospace
  while read -r word; do
    [[ $word == "$current"* ]] || continue
    [[ -z $quoted && $word == *[\ \'\"]* ]] && word=$(printf '%q' "$word")
    COMPREPLY+=("$prefix$word")
  done <<<"$candidates"
  if [[ $kind == presets ]]; then
    compopt -o filenames
    COMPREPLY+=($(compgen -f -X '!*.toml' -- "$current"))
  fi
}
complete -F _dreamvid dreamvid
"""
ZSH = r"""
_dreamvid_layers() {
  local network=pocket place=${words[(I)--network]}
  ((place)) && network=${words[place + 1]}
  if [[ $network == pocket ]]; then _dreamvid_values layers; return; fi
  dreamvid list layers "$network" 2>/dev/null |
    awk 'NR > 1 { print ($1 ~ /^[0-9]+$/ && NF > 1) ? $2 : $1 }'
}

_dreamvid() {
  local command=${words[2]} kind= word
  local -i first=3 index place=0
  local -a candidates
  if ((CURRENT == 2)); then
    compadd -- ${=_dreamvid_commands} --help --version
    return
  fi
  if [[ -n $(_dreamvid_within "$command") ]]; then
    if ((CURRENT == 3)); then
      compadd -- ${=$(_dreamvid_within "$command")}
      return
    fi
    command="$command ${words[3]}" first=4
  fi
  local before=${words[CURRENT - 1]}
  kind=$(_dreamvid_kind "$command:$before")
  if [[ -z $kind || $kind == nothing ]]; then
    if [[ ${words[CURRENT]} == -* ]]; then
      compadd -- ${=$(_dreamvid_flags "$command")} --help
      return
    fi
    for ((index = first; index < CURRENT; index++)); do
      word=${words[index]}
      if [[ $word == -* ]]; then
        kind=$(_dreamvid_kind "$command:$word")
        [[ -n $kind && $kind != nothing ]] && ((index++))
      else
        ((place++))
      fi
    done
    kind=$(_dreamvid_argument "$command:$place")
  fi
  case $kind in
    files) _files; return ;;
    anything | nothing | "") return ;;
    layers) candidates=(${(f)"$(_dreamvid_layers)"}) ;;
    *) candidates=(${(f)"$(_dreamvid_values "$kind")"}) ;;
  esac
  ((${#candidates})) || candidates=(${=kind})
  [[ -n $(_dreamvid_listed "$command:$before") ]] && compset -P '*,'
  if [[ $kind == settings ]]; then compadd -S '' -- $candidates; else compadd -- $candidates; fi
  [[ $kind == presets ]] && _files -g '*.toml'
}
compdef _dreamvid dreamvid
"""


def bash(commands: Sequence[Command], values: Mapping[str, Sequence[str]]) -> str:
    """For bash: ``source <(dreamvid completion bash)`` in ``~/.bashrc``, or kept as a file."""
    return f"# dreamvid's completion for bash\n{_tables(commands, values)}{BASH}"


def zsh(commands: Sequence[Command], values: Mapping[str, Sequence[str]]) -> str:
    """For zsh: ``source <(dreamvid completion zsh)`` after ``compinit``."""
    return f"#compdef dreamvid\n{_tables(commands, values)}{ZSH}"


def _tables(commands: Sequence[Command], values: Mapping[str, Sequence[str]]) -> str:
    """What both shells look up: commands, flags, kinds of values, values."""
    firsts = dict.fromkeys(each.name.split()[0] for each in commands)
    within: dict[str, list[str]] = {}
    kinds: dict[str, list[str]] = {}
    arguments: dict[str, str] = {}
    flags = {each.name: " ".join(s for o in each.options for s in o.spellings) for each in commands}
    listed = []
    for each in commands:
        first, _, second = each.name.partition(" ")
        if second:
            within.setdefault(first, []).append(second)
        for option in each.options:
            keys = [f"{each.name}:{spelling}" for spelling in option.spellings]
            kinds.setdefault(option.kind, []).extend(keys)
            listed += keys if option.listed else []
        for place, kind in enumerate(each.arguments):
            arguments[f"{each.name}:{place}"] = kind
    lists = {name: "\n".join(names) for name, names in values.items()}
    keyed = {"|".join(map(shlex.quote, keys)): kind for kind, keys in kinds.items()}
    return "\n".join(
        [
            f"_dreamvid_commands={shlex.quote(' '.join(firsts))}",
            _case("_dreamvid_within", {each: " ".join(names) for each, names in within.items()}),
            _case("_dreamvid_flags", {shlex.quote(name): text for name, text in flags.items()}),
            _case("_dreamvid_kind", keyed),
            _case("_dreamvid_listed", {"|".join(map(shlex.quote, listed)): "yes"}),
            _case("_dreamvid_argument", {shlex.quote(k): kind for k, kind in arguments.items()}),
            _case("_dreamvid_values", lists),
        ]
    )


def _case(name: str, texts: Mapping[str, str]) -> str:
    """A shell function that prints a text for what it is given, or nothing."""
    lines = [
        f"    {pattern}) printf '%s\\n' {shlex.quote(text)} ;;" for pattern, text in texts.items()
    ]
    return "\n".join([f"{name}() {{", '  case "$1" in', *lines, "  esac", "}"])


def fish(commands: Sequence[Command], values: Mapping[str, Sequence[str]]) -> str:
    """For fish: ``dreamvid completion fish > ~/.config/fish/completions/dreamvid.fish``."""
    firsts: dict[str, str] = {}
    for each in commands:
        firsts.setdefault(each.name.split()[0], each.about)
    lines = ["# dreamvid's completion for fish", "complete -c dreamvid -e"]
    for name, names in values.items():
        lines.append(f"set -g __dreamvid_{name} {' '.join(map(_fish, names))}")
    none = "-n __fish_use_subcommand"
    lines += [f"complete -c dreamvid -f {none} -a {n} -d {_fish(a)}" for n, a in firsts.items()]
    for each in commands:
        first, _, second = each.name.partition(" ")
        seen = f"__fish_seen_subcommand_from {first}"
        if second:
            new = f"{seen}; and not __fish_seen_subcommand_from {second}"
            about = f"-a {second} -d {_fish(each.about)}"
            lines.append(f"complete -c dreamvid -f -n {_fish(new)} {about}")
            seen += f"; and __fish_seen_subcommand_from {second}"
        when = f"complete -c dreamvid -n {_fish(seen)}"
        for kind in each.arguments:
            if kind != "files":
                lines.append(f"{when} -f {_offered(kind, values)}")
        lines += [_fish_option(when, option, values) for option in each.options]
    return "\n".join([*lines, ""])


def _fish_option(when: str, option: Option, values: Mapping[str, Sequence[str]]) -> str:
    names = [
        f"-l {each.removeprefix('--')}" if each.startswith("--") else f"-s {each[1:]}"
        for each in option.spellings
    ]
    takes = {"nothing": "-f", "files": "-r -F", "anything": "-x"}.get(option.kind)
    if takes is None:
        takes = f"-x {_offered(option.kind, values)}"
    return f"{when} {' '.join(names)} {takes} -d {_fish(option.help)}"


def _offered(kind: str, values: Mapping[str, Sequence[str]]) -> str:
    if kind not in values:
        return f"-a {_fish(kind)}"
    # A word of several words is one value: fish reads -a as a list of words.
    spaced = any(" " in each for each in values[kind])
    return f"-a '(printf \"%s\\n\" $__dreamvid_{kind})'" if spaced else f"-a '$__dreamvid_{kind}'"


def _fish(text: str) -> str:
    """A text as fish reads it, between single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
