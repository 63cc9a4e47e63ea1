#!/usr/bin/env python3
"""Makes stand-ins for the CUDA libraries that PyPI's torch is linked against and a CPU run never calls.

usage: VENV/bin/python make_stubs.py

The dynamic linker refuses to load torch while one of the libraries it names is missing or one of their symbols
undefined. So each library named that neither torch, nor the nvidia packages installed, nor the system has gets a
stub: a shared object of that name which exports, under the right symbol versions, every symbol torch wants and
nobody else defines. A stub function prints its name and aborts: nothing fails silently. The stubs go to torch/lib,
where torch looks first. Needs gcc and readelf; can be run again, and must be after torch is installed anew.
"""
import collections
import glob
import os
import re
import subprocess
import sysconfig
import tempfile

SITE_PACKAGES = sysconfig.get_paths()["purelib"]
TORCH_LIB = os.path.join(SITE_PACKAGES, "torch", "lib")
MARKER = "scapefs_cuda_stub"  # a symbol by which a later run knows its own stubs
MAX_STUB_SIZE = 1 << 20

# Opened by torch only once CUDA is in use; it alone names the driver's libcuda, which must have no stub.
OPENED_LATE = "libcaffe2_nvrtc.so"

Symbol = collections.namedtuple("Symbol", "name version defined weak")


def readelf(*args):
    return subprocess.run(("readelf", "-W") + args, capture_output=True, text=True, check=True).stdout


def symbols(library):
    """The dynamic symbols of a library."""
    for line in readelf("--dyn-syms", library).splitlines():
        field = line.split()  # number, value, size, type, binding, visibility, section, name@version
        if len(field) >= 8 and field[0].rstrip(":").isdigit() and field[4] in ("GLOBAL", "WEAK", "UNIQUE"):
            name, _, version = field[7].partition("@")
            yield Symbol(name, version.lstrip("@"), field[6] != "UND", field[4] == "WEAK")


def needed(library):
    """The names of the libraries a library is linked against."""
    return set(re.findall(r"\(NEEDED\).*\[(\S+)\]", readelf("-d", library)))


def wanted_versions(library):
    """The pairs (symbol version, library to find it in) that a library asks for."""
    soname = None
    for line in readelf("-V", library).splitlines():
        if match := re.search(r"File: (\S+)\s+Cnt:", line):
            soname = match.group(1)
        if (match := re.search(r"Name: (\S+)\s+Flags:", line)) and soname:
            yield match.group(1), soname


def is_stub(path):
    return os.path.getsize(path) < MAX_STUB_SIZE and any(s.name == MARKER for s in symbols(path))


def remove_old_stubs():
    for path in glob.glob(os.path.join(TORCH_LIB, "*.so*")):
        if is_stub(path):
            os.unlink(path)


def system_libraries():
    """name -> path of every library the dynamic linker knows."""
    out = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^\s+(\S+) \(.*=> (\S+)", out, re.M))


def missing_symbols():
    """For each missing library: symbol version ("" for none) -> the symbols a stub must export."""
    torch = [p for p in glob.glob(os.path.join(TORCH_LIB, "*.so*")) if os.path.isfile(p) and not os.path.islink(p)]
    nvidia = glob.glob(os.path.join(SITE_PACKAGES, "nvidia", "**", "lib", "*.so*"), recursive=True)
    system = system_libraries()
    present = {os.path.basename(p) for p in torch + nvidia} | set(system)

    names = set().union(*(needed(p) for p in torch if os.path.basename(p) != OPENED_LATE))
    missing = sorted(n for n in names if n not in present and not n.startswith("ld-linux"))
    homes = {pair for p in torch for pair in wanted_versions(p)}

    defined, undefined = set(), set()
    for path in torch:
        for symbol in symbols(path):
            (defined if symbol.defined else undefined).add(symbol)
    for path in nvidia + [system[n] for n in names if n in system]:
        defined.update(s for s in symbols(path) if s.defined)
    defined_names = {s.name for s in defined}

    exports = {soname: collections.defaultdict(set) for soname in missing}
    for symbol in undefined:
        if symbol.name in defined_names:
            continue
        if symbol.version:
            for soname in missing:
                if (symbol.version, soname) in homes:
                    exports[soname][symbol.version].add(symbol.name)
        elif missing and not symbol.weak and not symbol.name.startswith(("Py", "_Py")):
            exports[missing[0]][""].add(symbol.name)  # without a version, any library will do
    return exports


def compile_stub(soname, exports, workdir):
    source = os.path.join(workdir, "stub.c")
    version_script = os.path.join(workdir, "stub.map")
    names = sorted(set().union(*exports.values()))
    with open(source, "w") as f:
        f.write("#include <stdio.h>\n#include <stdlib.h>\nint %s;\n" % MARKER)
        for name in names:
            f.write('void %s(void) { fputs("CUDA stub called: %s\\n", stderr); abort(); }\n' % (name, name))
    versions = sorted(v for v in exports if v)
    with open(version_script, "w") as f:
        for version in versions:
            f.write("%s { global: %s };\n" % (version, " ".join(n + ";" for n in sorted(exports[version]))))
    command = ["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-Wl,-soname," + soname]
    if versions:
        command.append("-Wl,--version-script=" + version_script)
    subprocess.run(command + ["-o", os.path.join(TORCH_LIB, soname), source], check=True)
    return len(names)


def main():
    remove_old_stubs()
    with tempfile.TemporaryDirectory() as workdir:
        for soname, exports in missing_symbols().items():
            print("stub %-22s %4d symbols" % (soname, compile_stub(soname, exports, workdir)))


if __name__ == "__main__":
    main()
