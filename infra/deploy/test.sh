#!/usr/bin/env bash
# The fast gate: what can be wrong is mostly found here. Everything else .ci/run holds.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

npm ci --no-audit --no-fund || stop 'The packages could not be installed.' "$AGAIN" "$SERVES_ON"
npm run types || stop 'The types are wrong.' "$SERVES_ON"
npm run test:unit || stop 'A test fails.' "$SERVES_ON"
