#!/usr/bin/env python3
"""Writes the route lists of real services into a folder, one `NAME.txt` of templates each.

Usage: tests/routes.py FOLDER

The lists are read out of client libraries on npm and PyPI, where they stand as strings such as
`/users/{id}`. Nothing is executed, and nothing is kept but the templates. The first line of a list says
in which style the service writes ids, as far as that is public: `# ids: uuid`. `cargo statistics` scores
the inference of routes over these lists when LOADPRINT_ROUTES names the folder.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

# name: registry, package, version, files that hold routes, style of ids
SERVICES = {
    "argo": ("pypi", "argo-workflows", "6.7.18", r"/api/.*_api\.py$", "uuid"),
    "asana": ("pypi", "asana", "5.4.0", r"/api/.*_api\.py$", "int16"),
    "bitbucket": ("npm", "bitbucket", "2.12.0", r"\.js$", "uuid"),
    "datadog": ("pypi", "datadog-api-client", "2.62.0", r"/api/.*_api\.py$", "uuid"),
    "digitalocean": ("pypi", "pydo", "0.44.0", r"_operations\.py$", "uuid"),
    "docusign": ("pypi", "docusign-esign", "6.1.0", r"/apis/.*_api\.py$", "uuid"),
    "fastly": ("pypi", "fastly", "15.0.0", r"/api/.*_api\.py$", "base62-22"),
    "gitea": ("pypi", "giteapy", "1.0.8", r"/api/.*_api\.py$", "int"),
    "hubspot": ("npm", "@hubspot/api-client", "13.5.0", r"apis/.*Api\.js$", "int"),
    "immich": ("npm", "@immich/sdk", "3.2.2", r"fetch-client\.(ts|js)$", "uuid"),
    "jellyfin": ("npm", "@jellyfin/sdk", "1.0.0", r"-api\.js$", "hex32"),
    "jira": ("npm", "jira.js", "5.4.0", r"/version3/.*\.mjs$", "int"),
    "kubernetes": ("pypi", "kubernetes", "37.0.2", r"/api/.*_api\.py$", "slug"),
    "launchdarkly": ("pypi", "launchdarkly-api", "25.0.1", r"/api/.*_api\.py$", "hex24"),
    "okta": ("pypi", "okta", "3.4.6", r"/api/.*_api\.py$", "base62-20"),
    "onfido": ("pypi", "onfido-python", "6.2.0", r"/api/.*_api\.py$", "uuid"),
    "ory": ("pypi", "ory-client", "1.22.87", r"/api/.*_api\.py$", "uuid"),
    "phrase": ("pypi", "phrase-api", "3.31.0", r"/api/.*_api\.py$", "hex32"),
    "pulp": ("pypi", "pulpcore-client", "3.123.1", r"/api/.*_api\.py$", "uuid"),
    "spotify": ("npm", "@spotify/web-api-ts-sdk", "1.2.0", r"endpoints/.*\.js$", "base62-22"),
    "stripe": ("npm", "stripe", "23.1.0", r"esm/resources/.*\.js$", "prefixed"),
    "twilio": ("npm", "twilio", "6.2.0", r"lib/rest/.*\.js$", "prefixed-hex"),
}

LITERAL = re.compile(r"""["'`](/?[A-Za-z0-9_.-]*[/{$][^"'`\s]{0,180})["'`]""")
EXPRESSION = re.compile(r"\$\{(?:encodeURIComponent\()?(?:String\()?([A-Za-z0-9_.]+)[^}]*\}")
TEMPLATE = re.compile(r"^(/[A-Za-z0-9_.:=@,()-]*|/\{[A-Za-z0-9_]+\}(\.[a-z]+)?|/[A-Za-z]+=?\{[A-Za-z0-9_]+\})+$")


def templates(text, relative):
    """The templates that stand as strings in `text`; those without a slash in front where `relative`."""
    for literal in LITERAL.findall(text):
        path = EXPRESSION.sub(lambda found: "{" + found[1].rsplit(".", 1)[-1] + "}", literal).split("?")[0].removesuffix("{params}")
        if relative and not path.startswith("/"):
            path = "/" + path
        if TEMPLATE.match(path) and re.search("[a-z]{2}", path) and ".." not in path and "//" not in path:
            yield path.rstrip("/")


def members(archive):
    """Names and texts of the files in a package."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as files:
            for name in files.namelist():
                yield name, files.read(name).decode(errors="replace")
    else:
        with tarfile.open(archive) as files:
            for member in files:
                if member.isfile():
                    yield member.name, files.extractfile(member).read().decode(errors="replace")


def fetch(registry, package, version, folder):
    """The package as its registry's own client brings it."""
    if registry == "npm":
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
    else:
        command = ["pip", "download", "--quiet", "--no-deps", f"{package}=={version}"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(Path(folder).iterdir())


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (registry, package, version, pattern, style) in SERVICES.items():
        with tempfile.TemporaryDirectory() as scratch:
            archive = fetch(registry, package, version, scratch)
            found = set()
            for member, text in members(archive):
                if re.search(pattern, member):
                    found.update(templates(text, relative=name == "spotify"))
        (folder / f"{name}.txt").write_text(f"# ids: {style}\n" + "".join(f"{path}\n" for path in sorted(found)))
        print(f"{name}: {len(found)} routes of {package} {version}")


if __name__ == "__main__":
    main(sys.argv[1])
