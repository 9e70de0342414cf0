#!/usr/bin/env bash
# After infra/restore.sh: gives store again what was accepted since then. By now it writes to the
# restored database, and what that has already it does not store twice.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh
# shellcheck source=infra/deploy/choices.sh
source infra/deploy/choices.sh

WAITS='The release is done. Only what was accepted since the restored time is not given to store yet.'
listed=$(gcloud storage ls "$(state_bucket)") || stop "$(state_bucket) cannot be read." "$WAITS" "$AGAIN"
grep -qxF "$(state_bucket)/replay" <<<"$listed" || exit 0
since=$(gcloud storage cat "$(state_bucket)/replay") || stop "$(state_bucket)/replay cannot be read." "$WAITS" "$AGAIN"
gcloud pubsub subscriptions seek incoming-store --project="$PROJECT" --time="$since" ||
  stop 'The queue could not be turned back.' "$WAITS" "$AGAIN"
gcloud storage rm "$(state_bucket)/replay" ||
  stop "$(state_bucket)/replay could not be removed; it is done, though." "$AGAIN"
say "Store gets again what was accepted since $since: see the dashboard Pipeline."
