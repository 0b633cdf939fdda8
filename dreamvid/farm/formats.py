"""A plan as other schedulers take it: a shell script, Slurm job arrays, an Open Job Description."""

import json
import shlex
from collections.abc import Callable, Sequence

from dreamvid.errors import SettingsError, did_you_mean
from dreamvid.farm.plans import Plan, Unit
from dreamvid.media import atomic_write

ARRAY = 1000
"""Tasks of a Slurm array at most, as Slurm has it where nobody has changed it."""


def must_be_known(formats: Sequence[str]) -> None:
    """Raise `SettingsError` for the first format that there is not."""
    for name in formats:
        if name not in FORMATS:
            near = did_you_mean(name, FORMATS)
            raise SettingsError(f"--format: got {name!r}, expected {', '.join(FORMATS)}{near}")


def write(plan: Plan, formats: Sequence[str]) -> None:
    """Write a plan into its folder in each of the formats."""
    for name in formats:
        for file, text in FORMATS[name](plan).items():
            with atomic_write(plan.folder / file) as part:
                part.write_text(text, "utf-8")
                if text.startswith("#!"):
                    part.chmod(0o755)


def _steps(plan: Plan) -> tuple[list[Unit], list[Unit]]:
    """The units that wait for nothing, and those that do, in their order."""
    first = [unit for unit in plan.units if not unit.needs]
    return first, [unit for unit in plan.units if unit.needs]


def _shell(plan: Plan) -> dict[str, str]:
    """A line for each unit; a script as it stands, or lines for `parallel` and its like."""
    first, then = _steps(plan)
    lines = [
        shlex.join(["dreamvid", "work", str(plan.folder), "--unit", unit.name])
        for unit in [*first, *then]
    ]
    return {"plan.sh": "\n".join(["#!/bin/sh", "set -e", *lines, ""])}


def _slurm(plan: Plan) -> dict[str, str]:
    """An array of the units, and a job that waits for it; `slurm.sh` submits both."""
    first, then = _steps(plan)
    each = -(-len(first) // ARRAY)
    tasks = -(-len(first) // each)
    folder = shlex.quote(str(plan.folder))
    log = f"#SBATCH --output={plan.folder}/slurm-%A-%a.log"
    array = [
        "#!/bin/sh",
        "#SBATCH --job-name=dreamvid",
        f"#SBATCH --array=1-{tasks}",
        "#SBATCH --requeue",
        log,
        f"first=$(( (SLURM_ARRAY_TASK_ID - 1) * {each} + 1 ))",
        f'exec dreamvid work {folder} --unit "$first:$(( first + {each} - 1 ))"',
    ]
    if each * tasks > len(first):
        last = f"last=$(( first + {each} - 1 > {len(first)} ? {len(first)} : first + {each} - 1 ))"
        array[-1:] = [last, f'exec dreamvid work {folder} --unit "$first:$last"']
    join = ["#!/bin/sh", "#SBATCH --job-name=dreamvid-join", "#SBATCH --requeue", log, "set -e"]
    join += [f"dreamvid work {folder} --unit {unit.name}" for unit in then]
    submit = ["#!/bin/sh", "set -e", f"cd {folder}", "array=$(sbatch --parsable slurm-units.sh)"]
    files = {"slurm-units.sh": array}
    if then:
        files["slurm-join.sh"] = join
        submit.append('sbatch --dependency="afterok:$array" slurm-join.sh')
    return {name: "\n".join([*text, ""]) for name, text in {**files, "slurm.sh": submit}.items()}


def _openjd(plan: Plan) -> dict[str, str]:
    """A job template of the specification 2023-09: a step for the units, then what waits."""
    first, then = _steps(plan)

    def script(unit: str) -> dict[str, object]:
        run = {"command": "dreamvid", "args": ["work", "{{Param.Plan}}", "--unit", unit]}
        return {"actions": {"onRun": run}}

    numbers = {"name": "Unit", "type": "INT", "range": f"1-{len(first)}"}
    steps: list[dict[str, object]] = [
        {
            "name": "Units",
            "parameterSpace": {"taskParameterDefinitions": [numbers]},
            "script": script("{{Task.Param.Unit}}"),
        }
    ]
    for unit in then:
        needed = "Units" if set(unit.needs) <= {each.name for each in first} else unit.needs[0]
        steps.append(
            {
                "name": unit.name,
                "dependencies": [{"dependsOn": needed}],
                "script": script(unit.name),
            }
        )
    tree = {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"dreamvid {plan.folder.name}",
        "parameterDefinitions": [
            {
                "name": "Plan",
                "type": "PATH",
                "objectType": "DIRECTORY",
                "dataFlow": "INOUT",
                "default": str(plan.folder),
                "description": "The folder of the plan, which all workers share.",
            }
        ],
        "steps": steps,
    }
    return {"openjd.json": json.dumps(tree, indent=1) + "\n"}


FORMATS: dict[str, Callable[[Plan], dict[str, str]]] = {
    "shell": _shell,
    "slurm": _slurm,
    "openjd": _openjd,
}
"""The formats by name: each gives files by their names."""
