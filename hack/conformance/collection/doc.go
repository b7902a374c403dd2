// Package collection is the one source of example calls: it makes a Postman collection and a page of curl commands out of them.
package collection
