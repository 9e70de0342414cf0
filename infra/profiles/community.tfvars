# A community: hundreds of connections at a time, a database that can be gone back in to any second.

relay = {
  min_instances = 1
  max_instances = 5
  cpu           = "1"
  memory        = "2Gi"
  concurrency   = 500
  pool          = 5
  window_bytes  = 268435456
  pending_bytes = 134217728
  answers_bytes = 268435456
  send_bytes    = 268435456
}

functions = {
  store  = { max_instances = 8, cpu = "1", memory = "512Mi", concurrency = 10, pool = 3 }
  fetch  = { max_instances = 3, cpu = "1", memory = "1Gi", concurrency = 4, pool = 4 }
  upkeep = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 2, pool = 4 }
  probe  = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 1, pool = 0 }
}

database = {
  edition         = "ENTERPRISE"
  tier            = "db-custom-2-7680"
  high_available  = false
  disk_gigabytes  = 50
  disk_limit      = 500
  max_connections = 200
  backups         = 14
  log_days        = 7
}

archive      = true
budget_units = 300
