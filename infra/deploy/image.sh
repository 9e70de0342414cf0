#!/usr/bin/env bash
# Builds the image, pushes it, and notes its digest: what is deployed can then not change any more.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

# What it is made of, by which release.sh knows another build of the same version.
find . \( -name node_modules -o -name .git -o -name .deploy \) -prune -o -type f -print0 | sort -z |
  xargs -0 sha256sum | sha256sum | cut -c1-64 >"$STATE/version"

name=$REGION-docker.pkg.dev/$PROJECT/distrise/distrise
docker build --file=infra/Dockerfile --tag="$name:$BUILD" . ||
  stop 'The image could not be built.' "$SERVES_ON"
docker push "$name:$BUILD" ||
  stop 'The image could not be pushed.' \
    'No permission? infra/bootstrap.sh gives the deployer its roles again.' "$AGAIN" "$SERVES_ON"
docker inspect --format='{{index .RepoDigests 0}}' "$name:$BUILD" >"$STATE/image"
grep -q '@sha256:[0-9a-f]\{64\}$' "$STATE/image" ||
  stop 'The pushed image has no digest.' "$AGAIN" "$SERVES_ON"
say "Image: $(<"$STATE/image")"
