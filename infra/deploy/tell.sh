#!/usr/bin/env bash
# The last words of a deployment: where clients connect to, and where to look.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

say "The relay: $(<"$STATE/relay_url")"
read -r domain way address <"$STATE/domain" || true
if [[ -n $domain ]]; then
  say "The domain: wss://$domain, once its A record says $address. Its certificate comes by itself within an"
  say "hour of that: gcloud compute ssl-certificates list --project=$PROJECT"
  [[ $way == closed ]] ||
    say 'When that says ACTIVE: only_load_balancer = true into infra/operator.tfvars, and the same command again.'
fi
say 'Whether the check could try writing, which a budget or a list of keys may forbid (no line: it could):'
say "  gcloud logging read 'resource.labels.job_name=\"check\" AND \"NOT TRIED\"' --project=$PROJECT --freshness=3h"
say 'Dashboards:'
tr -d '[]" ' <"$STATE/dashboards" | tr ',' '\n' | sed 's/^/  /'
say "Back to the version before: infra/rollback.sh --project=$PROJECT --region=$REGION"
