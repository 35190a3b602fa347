// A chat server of Centrifuge, the library of Centrifugo: channels with recovery, and its broker for Redis with streams.
//
// centrifuge -port PORT -redis HOST:PORT | -sentinels HOST:PORT,… -name NAME
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

var (
	port      = flag.String("port", "8776", "the port")
	redis     = flag.String("redis", "", "the address of Redis")
	sentinels = flag.String("sentinels", "", "the addresses of the Sentinels")
	name      = flag.String("name", "", "the name of the master")
)

func main() {
	flag.Parse()
	config := centrifuge.DefaultConfig
	config.ClientChannelLimit = 1000
	config.ClientQueueMaxSize = 64 << 20
	node, err := centrifuge.New(config)
	if err != nil {
		log.Fatal(err)
	}

	node.OnConnecting(func(_ context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{Recover: true}}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			options := centrifuge.PublishOptions{HistorySize: 10_000, HistoryTTL: time.Hour}
			done(centrifuge.PublishReply{Options: options}, nil)
		})
	})

	where := centrifuge.RedisShardConfig{Address: *redis}
	if *sentinels != "" {
		where = centrifuge.RedisShardConfig{
			SentinelAddresses: strings.Split(*sentinels, ","), SentinelMasterName: *name,
		}
	}
	shard, err := centrifuge.NewRedisShard(node, where)
	if err != nil {
		log.Fatal(err)
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{
		UseStreams: true, Shards: []*centrifuge.RedisShard{shard},
	})
	if err != nil {
		log.Fatal(err)
	}
	node.SetBroker(broker)
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	http.Handle("/connection", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+*port, nil))
}
