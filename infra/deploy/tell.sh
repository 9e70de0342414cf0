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
say 'Dashboards:'
tr -d '[]" ' <"$STATE/dashboards" | tr ',' '\n' | sed 's/^/  /'
say "Back to the version before: infra/rollback.sh --project=$PROJECT --region=$REGION"
