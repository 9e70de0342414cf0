# A public relay: thousands of connections, a standby of the database in another zone.

relay = {
  min_instances = 3
  max_instances = 20
  cpu           = "2"
  memory        = "4Gi"
  concurrency   = 1000
  pool          = 8
  window_bytes  = 1073741824
  pending_bytes = 268435456
  answers_bytes = 536870912
  send_bytes    = 536870912
}

functions = {
  store  = { max_instances = 30, cpu = "1", memory = "1Gi", concurrency = 10, pool = 4 }
  fetch  = { max_instances = 10, cpu = "1", memory = "1Gi", concurrency = 4, pool = 4 }
  upkeep = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 2, pool = 4 }
  probe  = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 1, pool = 0 }
}

database = {
  edition         = "ENTERPRISE"
  tier            = "db-custom-8-30720"
  high_available  = true
  disk_gigabytes  = 500
  disk_limit      = 10000
  max_connections = 600
  backups         = 30
  log_days        = 7
}

archive      = true
follow       = true
budget_units = 2000
