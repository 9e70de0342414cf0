#!/usr/bin/env bash
# The last words of a deployment: where clients connect to, and where to look.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

say "The relay: $(<"$STATE/relay_url")"
say 'Dashboards:'
tr -d '[]" ' <"$STATE/dashboards" | tr ',' '\n' | sed 's/^/  /'
say "Back to the version before: infra/rollback.sh --project=$PROJECT --region=$REGION"
