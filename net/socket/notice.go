package socket

import (
	"log"
	"time"
)

// Noticef prints what an operator should know (Linux pr_info). It is set
// before the first socket is made, if at all.
var Noticef = log.Printf

// noticeInterval is the least time between two equal notices (Linux
// printk_ratelimit).
const noticeInterval = 5 * time.Second
