#!/bin/sh
# Brings the project to what infra/*.tf says. Plain sh: the image of Terraform has no bash.
# The services get a revision of the new image and the new environment, since neither need suit the
# other's old one; hold.sh has tied all traffic to the revisions before.
#   terraform.sh tables   what the migration needs: network, database, accounts, its job
#   terraform.sh all      everything else
#   terraform.sh alerts   after the very first release: alerts on the metrics that there are now
set -eu

part=$1
state=$PWD/.deploy
# What preflight found chosen.
# shellcheck source=/dev/null
. "$state/choices"
image=$(cat "$state/image")
cd infra

stop() {
  printf '\nSTOPPED: %s\n' "$1" >&2
  shift
  printf '  %s\n' "$@" >&2
  exit 1
}

apply() {
  terraform apply -input=false -auto-approve -lock-timeout=10m \
    -var="project=$PROJECT" -var="region=$REGION" -var="environment=$ENVIRONMENT" \
    -var="domain=$DOMAIN" -var="database_instance=$DATABASE" -var="image=$image" \
    -var="database_taken_in=$taken_in" -var-file="profiles/$PROFILE.tfvars" "$@"
}

terraform init -input=false -reconfigure \
  -backend-config="bucket=$PROJECT-distrise-state" -backend-config="prefix=$ENVIRONMENT" ||
  stop 'Terraform could not begin.' 'Is the state bucket there? Run infra/bootstrap.sh again.'

# infra/restore.sh chose another instance of the database. By its own rules Terraform would delete the
# old one and make an empty new one; so it forgets the old one, which stays, and takes the new one in
# as it is (the import blocks of database.tf). A replica it replaces, which loses nothing.
held=$(terraform output -raw database 2>/dev/null) || held=
taken_in=false
if [ -n "$held" ] && [ "${held##*:}" != "$DATABASE" ]; then
  taken_in=true
  addresses=$(terraform state list) || stop "Terraform's state cannot be read."
  for address in $(printf '%s\n' "$addresses" | grep -E '^google_sql_(database|user|database_instance)\.(main|service)'); do
    terraform state rm -lock-timeout=10m "$address" ||
      stop "Terraform could not let go of $address." 'Run the same command again.'
  done
fi

# What this operator wants otherwise than the profile; it may be missing.
if [ -f operator.tfvars ]; then set -- -var-file=operator.tfvars; else set --; fi

case $part in
tables) set -- "$@" -var=monitoring_policies=false -target=google_cloud_run_v2_job.migrate ;;
all) if [ -f "$state/first" ]; then set -- "$@" -var=monitoring_policies=false; fi ;;
alerts) if [ ! -f "$state/first" ]; then exit 0; fi ;;
*) stop "terraform.sh knows tables, all and alerts, not \"$part\"." ;;
esac

# Cloud Monitoring takes alerts on a metric up to ten minutes after it has heard of it: from the
# migration, or from the services that write it.
waits_for_metrics() {
  [ "$part" != alerts ] || return 0
  grep -qi 'find metric' "$state/said"
}

untouched='No traffic was moved: the version that served before serves on.'
[ "$part" != alerts ] || untouched='The release is done, and serves; only alerts and objectives are missing.'
tries=11
until apply "$@" 2>"$state/said"; do
  cat "$state/said" >&2
  tries=$((tries - 1))
  { [ "$tries" -gt 0 ] && waits_for_metrics; } ||
    stop "Terraform stopped while it applied \"$part\"; its message stands above." \
      'A quota: ask for more at https://console.cloud.google.com/iam-admin/quotas.' \
      'No permission or an API: run infra/bootstrap.sh again.' \
      "A lock that a run left behind which was cancelled: gcloud storage rm gs://$PROJECT-distrise-state/$ENVIRONMENT/default.tflock" \
      'Then run the same command again; what is done already is not done twice.' \
      "$untouched"
  sleep "${RETRY_SECONDS:-60}"
done

# What the last step says; there is none of it before everything is.
if [ "$part" != tables ]; then
  terraform output -raw domain >"$state/domain"
  terraform output -raw relay_url >"$state/relay_url"
  terraform output -json dashboards >"$state/dashboards"
fi
