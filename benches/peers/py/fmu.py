"""fmu.py LIBRARY FMU: puts a library built from c/fmu.c and its description into an FMU file."""

import sys
import zipfile

from axis import PARAMS, STATES

NAME = "axis"
GUID = "{7a0d3a52-0b7e-4e55-9c61-1d4e0f3c8a11}"


def variable(name, reference, causality, variability, initial=None, start=None):
    given = f' initial="{initial}"' if initial else ""
    value = f' start="{start}"' if start is not None else ""
    return (
        f'<ScalarVariable name="{name}" valueReference="{reference}" causality="{causality}" '
        f'variability="{variability}"{given}><Real{value}/></ScalarVariable>'
    )


def description():
    outputs = range(2, 2 + len(STATES))  # indices in the list below, from 1
    variables = [variable("target_m", 0, "input", "continuous", start=0)]
    variables += [variable(name, 1 + k, "output", "continuous", "calculated") for k, name in enumerate(STATES)]
    variables += [variable(name, 10 + k, "parameter", "fixed", "exact", 1) for k, name in enumerate(PARAMS)]
    starts = [f"start_{name}" for name in STATES] + ["start_target_m"]
    variables += [variable(name, 40 + k, "parameter", "fixed", "exact", 0) for k, name in enumerate(starts)]
    unknowns = "".join(f'<Unknown index="{index}"/>' for index in outputs)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="{NAME}" guid="{GUID}" numberOfEventIndicators="0">
<CoSimulation modelIdentifier="{NAME}" canHandleVariableCommunicationStepSize="true"/>
<ModelVariables>
{chr(10).join(variables)}
</ModelVariables>
<ModelStructure><Outputs>{unknowns}</Outputs><InitialUnknowns>{unknowns}</InitialUnknowns></ModelStructure>
</fmiModelDescription>
"""


if __name__ == "__main__":
    library, fmu = sys.argv[1:]
    with zipfile.ZipFile(fmu, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("modelDescription.xml", description())
        archive.write(library, f"binaries/linux64/{NAME}.so")
