// Makes every call of the SDK twice over (see tests/sdks/calls.py) and ends when all are delivered.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/analytics-go/v3"
)

type delivered struct{ wait *sync.WaitGroup }

func (d delivered) Success(analytics.Message) { d.wait.Done() }
func (d delivered) Failure(message analytics.Message, err error) {
	fmt.Fprintln(os.Stderr, "failed", err)
	os.Exit(1)
}

func main() {
	name, round := os.Getenv("NAME"), os.Getenv("ROUND")
	start, err := time.Parse(time.RFC3339, os.Getenv("WHEN"))
	if err != nil {
		panic(err)
	}
	user := name + "-user-" + round
	context := &analytics.Context{Campaign: analytics.CampaignInfo{Name: "spring"}}
	integrations := analytics.NewIntegrations().EnableAll().Disable("Elsewhere")
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var wait sync.WaitGroup
	client, err := analytics.NewWithConfig(os.Getenv("KEY"), analytics.Config{
		Endpoint: os.Getenv("SITE"), BatchSize: 6, Interval: 300 * time.Millisecond, Callback: delivered{&wait},
		RetryAfter: func(int) time.Duration { return 100 * time.Millisecond },
	})
	if err != nil {
		panic(err)
	}
	send := func(message analytics.Message) {
		wait.Add(1)
		if err := client.Enqueue(message); err != nil {
			panic(err)
		}
	}
	send(analytics.Identify{UserId: user, Timestamp: at(0), Context: context, Integrations: integrations,
		Traits: analytics.NewTraits().SetEmail(user+"@example.org").Set("plan", "pro")})
	send(analytics.Track{UserId: user, Event: "Order Completed", Timestamp: at(1), Context: context, Integrations: integrations,
		Properties: analytics.NewProperties().Set("order_id", "o-"+round).Set("total", 89.5)})
	send(analytics.Page{UserId: user, Name: "Home", Timestamp: at(2), Context: context, Integrations: integrations,
		Properties: analytics.NewProperties().Set("path", "/"+round)})
	send(analytics.Screen{UserId: user, Name: "Cart", Timestamp: at(3), Context: context, Integrations: integrations,
		Properties: analytics.NewProperties().Set("lines", 2)})
	send(analytics.Group{UserId: user, GroupId: "acme", Timestamp: at(4), Context: context, Integrations: integrations,
		Traits: analytics.NewTraits().Set("name", "Acme")})
	send(analytics.Alias{UserId: user, PreviousId: name + "-old-" + round, Timestamp: at(5), Context: context, Integrations: integrations})
	send(analytics.Track{UserId: name + "-user-1", Event: "Again", MessageId: name + "-again", Timestamp: start})
	for number := 0; number < 10; number++ {
		send(analytics.Track{UserId: user, Event: "Tick " + strconv.Itoa(number), Timestamp: at(10 + number)})
	}
	wait.Wait()
	client.Close()
}
