# Sourced by the scripts here: COMMIT, VERSION, TAG and BRANCH of what is built, and the SOURCE_URL of the repository.
# Whatever the caller has set stays.
# shellcheck shell=bash disable=SC2034

COMMIT="${COMMIT:-${TRAVIS_COMMIT:-$(git rev-parse HEAD)}}"
TAG="${TAG:-${TRAVIS_TAG:-}}"
if [[ -z ${VERSION:-} ]]; then
    if [[ -n $TAG ]]; then
        VERSION="${TAG#v}"
    else
        VERSION="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
    fi
fi
# On a tag Travis calls the branch by the tag's name.
BRANCH="${BRANCH:-${TRAVIS_BRANCH:-$(git rev-parse --abbrev-ref HEAD)}}"
SOURCE_URL="${SOURCE_URL:-${TRAVIS_REPO_SLUG:+https://github.com/$TRAVIS_REPO_SLUG}}"
