#!/usr/bin/env bash
# Ties the traffic of each service to the revision that serves now, so that nothing moves before the
# release moves it, and notes that revision as the one to go back to. After a run that died halfway
# this is the way back as well. What Terraform changes then is a revision that nobody is led to.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh
# shellcheck source=infra/deploy/choices.sh
source infra/deploy/choices.sh

# The one with all traffic. Where it is split, or all are led to one that is still a candidate, an
# earlier run died, and the good one is what that run held: `stable` may be what somebody went back from.
serving() {
  awk -F, '
    $2 == 100 { whole = $3 }
    $1 == "stable" && good == "" || $1 == "held" { good = $3 }
    $1 == "candidate" { candidate = $3 }
    $2 + 0 > most { most = $2 + 0; largest = $3 }
    END {
      if (whole == candidate && good != "") whole = ""
      print whole != "" ? whole : good != "" ? good : largest
    }'
}

# gcloud fails as well where a newer revision could not start, though the tag is set.
hold() {
  gcloud run services update-traffic "$1" --project="$PROJECT" --region="$REGION" --quiet \
    --update-tags="held=$2" >/dev/null ||
    [[ $(traffic "$1" | tagged held) == "$2" ]]
}

image=$(<"$STATE/image")
put "versions/${image#*@sha256:}" <"$STATE/version" ||
  stop 'What the image is made of could not be noted.' "$AGAIN" "$SERVES_ON"
rm -f "$STATE/first" "$STATE"/*.old
touch "$STATE/first"
services=$(gcloud run services list --project="$PROJECT" --region="$REGION" --format='value(metadata.name)') ||
  stop 'The services cannot be listed.' 'Is the deployer allowed to? Run infra/bootstrap.sh again.' "$SERVES_ON"
for service in store relay fetch upkeep probe; do
  grep -qxF "$service" <<<"$services" || continue
  entries=$(traffic "$service") ||
    stop "The traffic of $service cannot be read." "$AGAIN" "$SERVES_ON"
  # Only a finished release has set this tag.
  if [[ $service == relay && -n $(tagged stable <<<"$entries") ]]; then rm -f "$STATE/first"; fi
  old=$(serving <<<"$entries")
  # Terraform made it, and it never became ready.
  [[ -n $old ]] || continue
  say "$service stays on $old"
  printf '%s\n' "$old" >"$STATE/$service.old"
  { hold "$service" "$old" && move "$service" "$old=100"; } ||
    stop "The traffic of $service could not be held." "$AGAIN" "$SERVES_ON"
done

workers=$(pools) || stop 'The worker pools cannot be listed.' "$AGAIN" "$SERVES_ON"
if grep -qxF follow <<<"$workers"; then
  splits=$(gcloud beta run worker-pools describe follow --project="$PROJECT" --region="$REGION" \
    --flatten='status.instanceSplits[]' \
    --format='csv[no-heading](status.instanceSplits.percent,status.instanceSplits.revisionName)') ||
    stop 'The instances of follow cannot be read.' "$AGAIN" "$SERVES_ON"
  old=$(awk -F, '$1 + 0 > most { most = $1 + 0; revision = $2 } END { print revision }' <<<"$splits")
  if [[ -n $old ]]; then
    say "follow stays on $old"
    follow_as "$old" || stop 'The instances of follow could not be held.' "$AGAIN" "$SERVES_ON"
  fi
fi
