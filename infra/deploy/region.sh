# shellcheck shell=bash
# Read by bootstrap.sh and preflight.sh: whether the region has what the profile uses. Needs PROJECT,
# REGION, PROFILE, DOMAIN, `here` (the folder infra) and `stop` (what went wrong, what to do).

CHOOSE="Choose another region: infra/bootstrap.sh --project=${PROJECT:-} --region=…"

# All values of a setting in operator.tfvars, else those in the profile.
settings() {
  local file
  for file in "${here:?}/operator.tfvars" "$here/profiles/$PROFILE.tfvars"; do
    [[ -f $file ]] || continue
    if sed 's/#.*//' "$file" | grep -oE "\b$1 *= *\"?[A-Za-z0-9-]+" | sed 's/.*[ ="]//'; then return; fi
  done
}

# Whether ours is among the regions of a product: in_region NAME REGIONS
in_region() {
  grep -qxF "$REGION" <<<"$2" || stop "$1 has no region $REGION; it has: ${2//$'\n'/ }" "$CHOOSE"
}

# Machines that Google lists; it lists not each size of db-custom, of which Terraform then hears.
database_machine() {
  local tiers tier
  tiers=$(gcloud sql tiers list --project="$PROJECT" --format='value(tier,region.list())') ||
    stop 'The machines of Cloud SQL cannot be listed.' "Tried: gcloud sql tiers list --project=$PROJECT"
  awk -v region="$REGION" '{ n = split($2, all, ","); for (i = 1; i <= n; i++) if (all[i] == region) found = 1 }
    END { exit !found }' <<<"$tiers" ||
    stop "Cloud SQL has no region $REGION." "See: gcloud sql tiers list --project=$PROJECT" "$CHOOSE"
  for tier in $(settings tier); do
    awk -v region="$REGION" -v tier="$tier" '$1 == tier { known = 1; n = split($2, all, ",")
        for (i = 1; i <= n; i++) if (all[i] == region) here = 1 }
      END { exit !(here || !known && tier ~ /^db-custom-/) }' <<<"$tiers" ||
      stop "Cloud SQL has no machine $tier in $REGION." \
        "See: gcloud sql tiers list --project=$PROJECT" \
        'Take another one (database in infra/operator.tfvars), or another profile or region.'
  done
}

check_region() {
  local regions
  regions=$(gcloud run regions list --project="$PROJECT" --format='value(locationId)') ||
    stop 'The regions of Cloud Run cannot be listed.'
  in_region 'Cloud Run' "$regions"
  regions=$(gcloud scheduler locations list --project="$PROJECT" --format='value(locationId)') ||
    stop 'The regions of Cloud Scheduler cannot be listed.'
  in_region 'Cloud Scheduler' "$regions"
  database_machine
  [[ $(settings follow) != true ]] ||
    gcloud beta run worker-pools list --project="$PROJECT" --region="$REGION" --format='value(metadata.name)' >/dev/null ||
    stop "Cloud Run has no worker pools in $REGION, and the profile follows other relays by one." \
      'Say follow = false in infra/operator.tfvars; then they are fetched from every minute.' "$CHOOSE"
}

check_billing() {
  local on
  on=$(gcloud billing projects describe "$PROJECT" --format='value(billingEnabled)') ||
    stop "Whether $PROJECT has billing cannot be seen."
  [[ $on == True ]] ||
    stop "Billing is off for $PROJECT, and nothing of this runs without." \
      "Do: gcloud billing projects link $PROJECT --billing-account=012345-567890-ABCDEF (gcloud billing accounts list shows yours)"
}

# What a first deployment makes of what a project may have few of. Later ones have them already.
check_quotas() {
  local metric metrics='NETWORKS SUBNETWORKS' quotas
  ! gcloud compute networks describe distrise --project="$PROJECT" --format='value(name)' >/dev/null 2>&1 || return 0
  [[ -z $DOMAIN ]] ||
    metrics+=' STATIC_ADDRESSES SECURITY_POLICIES BACKEND_SERVICES URL_MAPS SSL_CERTIFICATES TARGET_HTTPS_PROXIES'
  quotas=$(gcloud compute project-info describe --project="$PROJECT" --flatten='quotas[]' \
    --format='csv[no-heading](quotas.metric,quotas.limit,quotas.usage)') ||
    stop "The quotas of $PROJECT cannot be seen."
  for metric in $metrics; do
    awk -F, -v metric="$metric" '$1 == metric && $3 + 1 > $2 { full = 1 } END { exit full }' <<<"$quotas" ||
      stop "The quota $metric of $PROJECT is used up." \
        "Ask for more at https://console.cloud.google.com/iam-admin/quotas?project=$PROJECT, or delete what is not needed."
  done
}
